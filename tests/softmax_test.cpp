// Softmax and its relatives. Expected numbers were printed by NumPy 2.4 in float64:
// e = exp(x - x.max(axis)); e / e.sum(axis), and its logarithm.
#include "autograd/grad.h"
#include "tensor/ops.h"
#include "tests/values.h"

#include <cmath>
#include <limits>

using namespace milgrad;
using test::check_values;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor example() {
  return tensor<double>({1.5, -2, 0.25, 4,     3,    0.5, -1,  2, -0.75, 8,    1.25, -3,
                         2,   1,  -4,   0.125, -1.5, 6,   0.5, 1, 7,     -0.5, 2.5,  3},
                        {2, 3, 4});
}

const std::vector<double> kSoftmaxAxis1 = {
    0.17898410535463194,    4.537277486908234e-05, 0.24970119348625383,   0.8800902045129191,
    0.8021511087320907,     0.000552753555822954,  0.07154058971552617,   0.11910725710152431,
    0.018864785913277237,   0.999401873669308,     0.6787582167982199,    0.0008025383855565168,
    0.0066914985283650814,  0.006682870879297485,  0.0013224735956957054, 0.04733884804102054,
    0.00020206574673092037, 0.9918259790711537,    0.11904527930521352,   0.11355999301046692,
    0.9931064357249041,     0.0014911500495489258, 0.8796322470990907,    0.8391011589485126};
const std::vector<double> kLogSoftmaxAxis2 = {
    -2.6026301385593533,   -6.102630138559354,     -3.8526301385593538, -0.10263013855935366,
    -0.3840917012886903,   -2.88409170128869,      -4.38409170128869,   -1.3840917012886902,
    -8.751345137543408,    -0.0013451375434078323, -6.7513451375434075, -11.001345137543408,
    -0.42115022445333805,  -1.421150224453338,     -6.4211502244533385, -2.296150224453338,
    -7.5113135624263645,   -0.011313562426364472,  -5.5113135624263645, -5.0113135624263645,
    -0.029537170742657316, -7.529537170742658,     -4.529537170742658,  -4.029537170742658};

}  // namespace

TEST_CASE("softmax: along any axis, in both precisions") {
  const Tensor x = example();
  check_values(softmax(x, 1), {2, 3, 4}, kSoftmaxAxis1, 1e-15);
  check_values(log_softmax(x), {2, 3, 4}, kLogSoftmaxAxis2, 2e-15);
  const Tensor narrow = cast(x, DType::float32);
  check_values(softmax(narrow, 1), {2, 3, 4}, kSoftmaxAxis1, 3e-7);
  check_values(log_softmax(narrow, -1), {2, 3, 4}, kLogSoftmaxAxis2, 3e-7);
  check_values(logsumexp(x, {0, 2}), {3}, {4.273299372083477, 6.081099838069619, 8.322267301569678},
               1e-15);
  check_values(logsumexp(x, {0, 2}, true), {1, 3, 1},
               {4.273299372083477, 6.081099838069619, 8.322267301569678}, 1e-15);
  CHECK_THROWS_WITH_AS(softmax(x, 3), "[softmax] axis 3 is out of range for shape (2, 3, 4)",
                       ShapeError);
}

TEST_CASE("softmax: huge logits are exact") {
  for (DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = cast(tensor<double>({1e4, 0, -1e4}), dtype);
    check_values(softmax(x), {3}, {1, 0, 0});
    check_values(log_softmax(x), {3}, {0, -1e4, -2e4});
    check_values(logsumexp(x), {}, {1e4});
    check_values(softmax(neg(x)), {3}, {0, 0, 1});
    check_values(softmax(cast(tensor<double>({-1e4, -1e4}), dtype)), {2}, {0.5, 0.5});
  }
}

TEST_CASE("softmax: NaN spreads over its row only, a row of -inf chooses nothing") {
  for (DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = cast(tensor<double>({1, kNan, 0, 0, -kInf, -kInf, 0, -kInf}, {4, 2}), dtype);
    check_values(softmax(x), {4, 2}, {kNan, kNan, 0.5, 0.5, 0, 0, 1, 0});
    check_values(log_softmax(x), {4, 2},
                 {kNan, kNan, -0.6931471805599453, -0.6931471805599453, -kInf, -kInf, 0, -kInf},
                 1e-7);
    check_values(logsumexp(x, {1}), {4}, {kNan, 0.6931471805599453, -kInf, 0}, 1e-7);
    check_values(softmax(cast(tensor<double>({kInf, 0}), dtype)), {2}, {kNan, kNan});
    check_values(logsumexp(cast(tensor<double>({kInf, 0}), dtype)), {}, {kInf});
    const Tensor columns =
        cast(tensor<double>({1, 0, -kInf, 0, kNan, 0, -kInf, -kInf}, {2, 4}), dtype);
    check_values(softmax(columns, 0), {2, 4}, {kNan, 0.5, 0, 1, kNan, 0.5, 0, 0});
  }
}

TEST_CASE("softmax: weights below the smallest normal number are 0") {
  // exp(-87) = 1.6e-38 is normal in float32, exp(-88) = 6.1e-39 is not; in float64 exp(-708) is.
  const std::vector<float> weights =
      softmax(tensor<float>({0, -87, -88, -1000})).to_vector<float>();
  CHECK(weights[1] == doctest::Approx(1.6458115e-38f).epsilon(1e-6));
  CHECK(weights[2] == 0);
  CHECK(weights[3] == 0);
  const auto wide = softmax(tensor<double>({0, -708, -709})).to_vector<double>();
  CHECK(wide[1] == doctest::Approx(3.307553003638408e-308).epsilon(1e-12));
  CHECK(wide[2] == 0);
}

TEST_CASE("softmax: masked rows have finite gradients") {
  const Tensor x = requires_grad(tensor<double>({-kInf, -kInf, 0, -kInf}, {2, 2}));
  const Tensor g = tensor<double>({1, 2, 3, 4}, {2, 2});
  check_values(grad(softmax(x), x, {.cotangents = {g}}), {2, 2}, {0, 0, 0, 0});
  check_values(grad(logsumexp(x, {1}), x, {.cotangents = {tensor<double>({5, 7})}}), {2, 2},
               {0, 0, 7, 0});
}

TEST_CASE("softmax: a row alone gives the bits that it gives inside of a batch") {
  std::vector<float> values(7 * 100);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50) * 0.125f;
  const Tensor x = tensor<float>(values, {7, 100});
  const std::vector<double> batch = test::numbers(softmax(x));
  for (std::size_t row = 0; row < 7; ++row) {
    const Tensor alone =
        tensor<float>(std::span<const float>(values).subspan(row * 100, 100), {100});
    const std::vector<double> single = test::numbers(softmax(alone));
    CHECK(std::equal(single.begin(), single.end(),
                     batch.begin() + static_cast<std::ptrdiff_t>(row * 100)));
  }
}

TEST_CASE("softmax: nothing, and a single element") {
  check_values(softmax(zeros({0, 3})), {0, 3}, {});
  check_values(softmax(zeros({3, 0})), {3, 0}, {});
  check_values(softmax(tensor<float>({-7.f})), {1}, {1});
  check_values(log_softmax(tensor<float>({-7.f})), {1}, {0});
  check_values(logsumexp(zeros({2, 0}), {1}), {2}, {-kInf, -kInf});
}

TEST_CASE("softmax: 200,000 elements sum to 1, with the same bits for any number of threads") {
  const std::vector<float> values = test::noise(200000);
  long double total = 0;
  for (float value : values) total += std::exp(static_cast<long double>(value));
  for (const Shape& shape : {Shape{200000}, {200, 1000}, {1000, 200}, {20, 1000, 10}}) {
    CAPTURE(shape.to_string());
    const Tensor x = tensor<float>(values, shape);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      for (double one : test::numbers(sum(softmax(x, axis), {axis})))
        REQUIRE(std::abs(one - 1) <= 3e-7);
      test::check_same_bits_for_any_thread_count([&] { return softmax(x, axis); });
      test::check_same_bits_for_any_thread_count([&] { return log_softmax(x, axis); });
      test::check_same_bits_for_any_thread_count([&] { return logsumexp(x, {axis}); });
    }
  }
  const Tensor row = tensor<float>(values, {200000});
  CHECK(logsumexp(row).item() ==
        doctest::Approx(static_cast<double>(std::log(total))).epsilon(1e-7));
  const std::vector<double> weights = test::numbers(softmax(row));
  for (std::size_t i : {0, 20000, 199999})
    CHECK(weights[i] == doctest::Approx(static_cast<double>(
                                            std::exp(static_cast<long double>(values[i])) / total))
                            .epsilon(1e-6));
}
