// Optimizer updates against a NumPy float64 re-coding of Keras's formulas.
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tensor/variable.h"
#include "tests/values.h"

#include <bit>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

using Doubles = std::vector<double>;

const std::vector<Doubles> kGradients = {{.1, -.2, .3}, {-.4, .5, 0}, {1e-3, 2, -3}};
const Doubles kStart = {1, -2, .5};

void check_near(const Tensor& x, const Doubles& expected, double tolerance) {
  const auto values = cast(x, DType::float64).to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(tolerance));
}

Variable filled(const Doubles& values, DType dtype) {
  return Variable(cast(tensor(values, {static_cast<Dim>(values.size())}), dtype));
}

}  // namespace

TEST_CASE("optim: three steps of Adam") {
  for (DType dtype : {DType::float64, DType::float32}) {
    const double tolerance = dtype == DType::float64 ? 1e-14 : 1e-6;
    const Variable x = filled(kStart, dtype), m = filled({0, 0, 0}, dtype),
                   v = filled({0, 0, 0}, dtype);
    const Variable rate(scalar(0.1, dtype)), steps(scalar(0, DType::int32));
    for (const Doubles& g : kGradients) {
      adam_update(x, m, v, cast(tensor(g, {3}), dtype), adam_step_size(rate, steps));
      assign(steps, add(steps, scalar(1, DType::int32)));
    }
    check_near(x, {0.9990473899870548, -2.0147924332476417, 0.3914120703983267}, tolerance);
    check_near(m, {-0.0278, 0.22879999999999995, -0.2757}, tolerance);
    check_near(v, {0.00016982101000000016, 0.004289670040000004, 0.00908982009000001}, tolerance);
  }
}

TEST_CASE("optim: the float32 step size is that of Keras's float32 operations") {
  // With m = v = g = 1 the moments stay 1 and x moves by alpha / (1 + epsilon) = alpha in float32.
  // NumPy float32 operations give alpha, which at step 1 is 3 in 10^6 below the exact one.
  const auto moved = [](std::int32_t steps, bool float32_step_size) {
    const Variable x(zeros({1})), m(ones({1})), v(ones({1}));
    const Tensor size = adam_step_size(scalar(0.001), tensor(std::vector<std::int32_t>{steps}, {}),
                                       {.float32_step_size = float32_step_size});
    adam_update(x, m, v, ones({1}), size, {.epsilon = 0});
    return -x.value().item<float>();
  };
  CHECK(moved(0, true) == 0.00031622566f);
  CHECK(moved(0, false) == 0.0003162278f);
  CHECK(moved(9, true) == doctest::Approx(0.00015318804).epsilon(2e-7));
  CHECK(moved(9, false) == 0.00015318909f);
  CHECK(moved(199, true) == doctest::Approx(0.00042585097).epsilon(2e-7));
  CHECK(moved(199, false) == 0.00042585348f);
}

TEST_CASE("optim: SGD plain, with momentum and with Nesterov's look-ahead") {
  for (DType dtype : {DType::float64, DType::float32}) {
    const double tolerance = dtype == DType::float64 ? 1e-14 : 1e-6;
    const Tensor rate = scalar(0.1, dtype);
    const Variable plain = filled(kStart, dtype);
    sgd_update(plain, cast(tensor(kGradients[0], {3}), dtype), rate);
    check_near(plain, {0.99, -1.98, 0.47}, tolerance);
    for (bool nesterov : {false, true}) {
      const Variable x = filled(kStart, dtype), velocity = filled({0, 0, 0}, dtype);
      for (const Doubles& g : kGradients)
        sgd_update(x, cast(tensor(g, {3}), dtype), rate, velocity,
                   {.momentum = 0.9, .nesterov = nesterov});
      check_near(x,
                 nesterov ? Doubles{1.07382, -2.44672, 0.96683} : Doubles{1.0488, -2.2408, 0.7187},
                 tolerance);
      check_near(velocity, {0.0278, -0.2288, 0.2757}, tolerance);
    }
  }
}

TEST_CASE("optim: a NaN gradient reaches the weights") {
  const Variable x(ones({20})), m(zeros({20})), v(zeros({20}));
  adam_update(x, m, v, full({20}, std::nan("")),
              adam_step_size(scalar(0.1), scalar(0, DType::int64)));
  for (float value : x.value().data<float>()) CHECK(std::isnan(value));
}

TEST_CASE("optim: Adam's square root is the exact one, for every significand and special values") {
  // With betas 1 the moments stay, and x becomes -1 / (sqrt(v) + epsilon).
  const auto check = [](std::vector<float> squares, float epsilon) {
    const auto count = static_cast<Dim>(squares.size());
    const Variable x(zeros({count})), m(ones({count})), v(tensor(squares, {count}));
    adam_update(x, m, v, zeros({count}), scalar(1.0, DType::float64),
                {.beta_1 = 1, .beta_2 = 1, .epsilon = epsilon});
    const auto found = x.value().data<float>();
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < squares.size(); ++i) {
      const float expected = 0 - 1 / (std::sqrt(squares[i]) + epsilon);
      wrong += std::bit_cast<std::uint32_t>(found[i]) != std::bit_cast<std::uint32_t>(expected);
    }
    CHECK(wrong == 0);
  };
  for (std::uint32_t exponent : {127u, 128u})
    for (std::uint32_t before : {0u, 16u}) {  // vectors are treated in turns
      std::vector<float> squares(before, 1.0f);
      for (std::uint32_t i = 0; i < 1u << 23; ++i)
        squares.push_back(std::bit_cast<float>(exponent << 23 | i));
      check(squares, 1e-7f);
    }
  using Limits = std::numeric_limits<float>;
  const std::vector<float> special{
      0, Limits::denorm_min(), Limits::min(), Limits::max(), 3e-39f, 7e-31f, 8e-31f, 9e37f};
  for (float epsilon : {0.0f, 1e-12f, 6e-8f, 1e-7f, 1e-3f}) {
    check(special, epsilon);
    for (float value : special) check(std::vector<float>(40, value), epsilon);
  }
}

TEST_CASE("optim: updates raise the version of every variable they write") {
  const Variable x(ones({2})), m(zeros({2})), v(zeros({2}));
  const auto before = x.value().storage()->version();
  adam_update(x, m, v, ones({2}), adam_step_size(scalar(0.1), scalar(0, DType::int64)));
  CHECK(x.value().storage()->version() == before + 1);
  CHECK(m.value().storage()->version() == 1);
  CHECK(v.value().storage()->version() == 1);
}

TEST_CASE("optim: the same bits for any number of threads, in updates and in random numbers") {
  test::check_same_bits_for_any_thread_count([] {
    const Tensor key = RandomGenerator(3).next_key();
    const Tensor g = random_normal(key, {200'003});
    const Variable x(dropout(g, key, 0.5)), m(random_uniform(key, {200'003})), v(square(g));
    adam_update(x, m, v, g, adam_step_size(scalar(0.01), scalar(5, DType::int32)));
    sgd_update(x, g, scalar(0.1), m, {.momentum = 0.9, .nesterov = true});
    return x.value();
  });
}
