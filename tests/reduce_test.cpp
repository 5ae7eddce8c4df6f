// Reductions, running sums and statistics. Expected numbers were printed by NumPy 2.4 in float64
// from the same input (x.sum(axis=...), x.cumsum(axis=...), ...), unless a test says otherwise.
#include "autograd/grad.h"
#include "tensor/ops.h"
#include "tests/values.h"

#include <limits>

using namespace milgrad;
using test::check_values;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor example(DType dtype = DType::float64) {
  const Tensor x = tensor<double>({1.5, -2, 0.25, 4,     3,    0.5, -1,  2, -0.75, 8,    1.25, -3,
                                   2,   1,  -4,   0.125, -1.5, 6,   0.5, 1, 7,     -0.5, 2.5,  3},
                                  {2, 3, 4});
  return cast(x, dtype);
}

}  // namespace

TEST_CASE("reduce: sums over every choice of axes") {
  for (DType dtype : {DType::float64, DType::float32}) {
    const Tensor x = example(dtype);
    check_values(sum(x, {0}), {3, 4},
                 {3.5, -1, -3.75, 4.125, 1.5, 6.5, -0.5, 3, 6.25, 7.5, 3.75, 0});
    check_values(sum(x, {1}), {2, 4}, {3.75, 6.5, 0.5, 3, 7.5, 6.5, -1, 4.125});
    check_values(sum(x, {-1}), {2, 3}, {3.75, 4.5, 5.5, -0.875, 6, 12});
    check_values(sum(x, {2, 0}), {3}, {2.875, 10.5, 17.5});
    check_values(sum(x, {0, 1}), {4}, {11.25, 13, -0.5, 7.125});
    check_values(sum(x, {1, 2}, true), {2, 1, 1}, {13.75, 17.125});
    check_values(sum(x), {}, {30.875});
    check_values(sum(x, {}), {2, 3, 4}, test::numbers(x));
  }
}

TEST_CASE("reduce: rank 6 with alternating axes") {
  // NumPy: numpy.arange(64).reshape(2, 2, 2, 2, 2, 2).sum(axis=(0, 2, 4)), and axis=(1, 3, 5)
  const Tensor cube = tensor(arange(0, 64, 1, DType::float64).data<double>(), {2, 2, 2, 2, 2, 2});
  check_values(sum(cube, {0, 2, 4}), {2, 2, 2}, {168, 176, 200, 208, 296, 304, 328, 336});
  check_values(sum(cube, {1, 3, 5}), {2, 2, 2}, {84, 100, 148, 164, 340, 356, 404, 420});
}

TEST_CASE("reduce: integers wrap around, uint8 and bool are refused with the cure") {
  check_values(sum(tensor<std::int64_t>({1, -5, 7})), {}, {3});
  check_values(sum(tensor<std::int32_t>({2147483647, 1})), {}, {-2147483648.0});
  check_values(prod(tensor<std::int32_t>({3, -5, 7})), {}, {-105});
  check_values(max(tensor<std::uint8_t>({3, 250, 7})), {}, {250});
  CHECK_THROWS_WITH_AS(sum(tensor<std::uint8_t>({1, 2})),
                       "[sum] input 0 is uint8 (2,); expected float32, float64, int32, int64",
                       DTypeError);
  try {
    sum(tensor<std::uint8_t>({1, 2}));
  } catch (const DTypeError& error) {
    CHECK(error.hint() == "use cast()");
  }
}

TEST_CASE("reduce: axes that do not exist or come twice") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_WITH_AS(sum(x, {2}), "[sum] axis 2 is out of range for shape (2, 3)", ShapeError);
  CHECK_THROWS_WITH_AS(max(x, {1, -1}),
                       "[max] axis 1 of shape (2, 3) is named twice; expected distinct axes",
                       ShapeError);
}

TEST_CASE("reduce: nothing to reduce") {
  check_values(sum(zeros({0, 3}), {0}), {3}, {0, 0, 0});
  check_values(sum(zeros({3, 0}), {1}), {3}, {0, 0, 0});
  check_values(prod(zeros({2, 0}), {1}), {2}, {1, 1});
  check_values(sum(zeros({0, 3}), {1}), {0}, {});
  check_values(max(zeros({0, 3}), {1}), {0}, {});
  CHECK_THROWS_WITH_AS(max(zeros({0, 3}), {0}),
                       "[max] axis 0 of shape (0, 3) is empty; expected at least one element",
                       ShapeError);
  CHECK_THROWS_AS(argmin(zeros({3, 0})), ShapeError);
}

TEST_CASE("reduce: max and min, NaN wins, infinities count") {
  check_values(max(example(), {1}), {2, 4}, {3, 8, 1.25, 4, 7, 6, 2.5, 3});
  check_values(min(example(), {0, 2}), {3}, {-4, -1.5, -3});
  for (DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = cast(tensor<double>({1, kNan, 3, -kInf, kInf, 2}, {2, 3}), dtype);
    check_values(max(x, {1}), {2}, {kNan, kInf});
    check_values(min(x, {1}), {2}, {kNan, -kInf});
    check_values(max(x, {0}), {3}, {1, kNan, 3});
    check_values(max(cast(tensor<double>({-kInf, -kInf}), dtype)), {}, {-kInf});
    // A NaN at each place of a long row.
    for (std::size_t at : {0, 1, 7, 8, 31, 32, 63, 64, 99}) {
      std::vector<double> row(100, 1.0);
      row[at] = kNan;
      CHECK(std::isnan(max(cast(tensor<double>(row, {100}), dtype)).item()));
      CHECK(std::isnan(min(cast(tensor<double>(row, {100}), dtype)).item()));
    }
  }
}

TEST_CASE("reduce: equal maxima share the gradient") {
  const Tensor x = requires_grad(tensor<double>({2, 5, 5, 1, 3, 3, 3, 0}, {2, 4}));
  check_values(grad(sum(max(x, {1})), x), {2, 4}, {0, 0.5, 0.5, 0, 1. / 3, 1. / 3, 1. / 3, 0},
               1e-16);
  check_values(grad(min(x), x), {2, 4}, {0, 0, 0, 0, 0, 0, 0, 1});
  const Tensor with_nan = requires_grad(tensor<double>({1, kNan}));
  check_values(grad(max(with_nan), with_nan), {2}, {kNan, kNan});
}

TEST_CASE("reduce: argmax and argmin take the first index, a NaN counts as the extreme") {
  check_values(argmax(example(), 1), {2, 4}, {1, 2, 2, 0, 2, 1, 2, 2});
  check_values(argmin(example()), {2, 3}, {1, 2, 3, 2, 0, 1});
  CHECK(argmax(example()).dtype() == DType::int64);
  check_values(argmax(tensor<float>({1, 3, 3, 2})), {}, {1});
  check_values(argmin(tensor<std::int32_t>({1, -3, -3, 2})), {}, {1});
  // numpy.argmax([1, nan, 3, nan]) == 1
  check_values(argmax(tensor<double>({1, kNan, 3, kNan})), {}, {1});
  check_values(argmin(tensor<double>({1, kNan, 0, kNan})), {}, {1});
  check_values(argmax(tensor<double>({kNan, kInf})), {}, {0});
  const Tensor x = requires_grad(example());
  CHECK_NOTHROW(argmax(x));
}

TEST_CASE("reduce: argmax finds the first of equal elements wherever they stand in a row") {
  for (std::size_t length : {1, 15, 16, 17, 100, 1000})
    for (std::size_t at : {std::size_t{0}, length / 2, length - 1}) {
      std::vector<float> row(length, 1.f);
      for (std::size_t i = at; i < length; i += 3) row[i] = 2.f;
      const Tensor x = tensor<float>(row, {static_cast<Dim>(length)});
      check_values(argmax(x), {}, {static_cast<double>(at)});
      check_values(argmin(neg(x)), {}, {static_cast<double>(at)});
    }
}

TEST_CASE("reduce: products, zeros included, with gradients of order one and two") {
  check_values(prod(example(), {1}), {2, 4}, {-3.375, -8, -0.3125, -24, -21, -3, -5, 0.375});
  check_values(prod(example(), {2, 0}, true), {1, 3, 1}, {3, 13.5, -590.625});
  // d(a b c)/da = b c; d2/(da db) = c
  const Tensor x = requires_grad(tensor<double>({0, 2, 3}));
  const Tensor first = grad(prod(x), x, {.create_graph = true});
  check_values(first, {3}, {6, 0, 0});
  check_values(grad(sum(mul(first, tensor<double>({0, 1, 0}))), x), {3}, {3, 0, 0});
  const Tensor zeros_twice = requires_grad(tensor<double>({0, 0, 3}));
  const Tensor d = grad(prod(zeros_twice), zeros_twice, {.create_graph = true});
  check_values(d, {3}, {0, 0, 0});
  check_values(grad(sum(mul(d, tensor<double>({1, 0, 0}))), zeros_twice), {3}, {0, 3, 0});
}

TEST_CASE("reduce: running sums in both directions") {
  check_values(cumsum(example(), 1), {2, 3, 4},
               {1.5, -2, 0.25, 4,     4.5, -1.5, -0.75, 6,     3.75, 6.5, 0.5, 3,
                2,   1,  -4,   0.125, 0.5, 7,    -3.5,  1.125, 7.5,  6.5, -1,  4.125});
  check_values(cumsum(example(), -1, {.reverse = true}), {2, 3, 4},
               {3.75,   2.25,   4.25,   4,     4.5, 1.5, 1,   2, 5.5, 6.25, -1.75, -3,
                -0.875, -2.875, -3.875, 0.125, 6,   7.5, 1.5, 1, 12,  5,    5.5,   3});
  check_values(cumsum(tensor<std::int64_t>({1, 2, 3}), 0), {3}, {1, 3, 6});
  const Tensor x = requires_grad(tensor<double>({1, 2, 3}));
  check_values(grad(sum(mul(cumsum(x, 0), tensor<double>({1, 10, 100}))), x), {3}, {111, 110, 100});
}

TEST_CASE("reduce: statistics") {
  check_values(mean(example(), {0, 2}), {3}, {0.359375, 1.3125, 2.1875});
  check_values(var(example(), {1}), {2, 4},
               {2.375, 18.055555555555557, 0.8472222222222223, 8.666666666666666,
                12.166666666666666, 7.722222222222222, 7.388888888888888, 1.4479166666666667},
               1e-15);
  check_values(stddev(example(), {2}, true), {2, 3, 1},
               {2.167768149503078, 1.5155444566227676, 4.109820555693399, 2.281678042033976,
                2.7613402542968153, 2.669269563007828},
               1e-15);
  check_values(norm(example(), {0, 2}), {3},
               {6.582410272840793, 7.33143914930759, 11.816302298096474}, 1e-15);
  check_values(size_of(example(), {0, -1}), {}, {8});
  CHECK(size_of(example(DType::float32)).dtype() == DType::float32);
  // A constant far from zero: the two passes see no variance where E[x^2] - E[x]^2 would.
  check_values(var(full({1000}, 12345.678)), {}, {0});
}

TEST_CASE("reduce: norm and stddev have the gradient 0 where they are 0") {
  const Tensor x = requires_grad(zeros({3}, DType::float64));
  check_values(grad(norm(x), x), {3}, {0, 0, 0});
  check_values(grad(stddev(x), x), {3}, {0, 0, 0});
  const Tensor y = requires_grad(tensor<double>({3, 4}));
  check_values(grad(norm(y), y), {2}, {0.6, 0.8}, 1e-15);
}

TEST_CASE("reduce: large float32 sums agree with long double") {
  const std::vector<float> values = test::noise(1 << 20);
  const Tensor x = tensor<float>(values, {1024, 1024});
  long double total = 0, squares = 0;
  for (float value : values) {
    total += static_cast<long double>(value);
    squares += static_cast<long double>(value) * static_cast<long double>(value);
  }
  CHECK(sum(x).item() == doctest::Approx(static_cast<double>(total)).epsilon(1e-7));
  CHECK(sum(square(x)).item() == doctest::Approx(static_cast<double>(squares)).epsilon(1e-7));
  for (int axis : {0, 1}) {
    const std::vector<double> sums = test::numbers(sum(x, {axis}));
    for (std::size_t i = 0; i < 1024; ++i) {
      long double expected = 0;
      for (std::size_t k = 0; k < 1024; ++k)
        expected += static_cast<long double>(values[axis == 0 ? k * 1024 + i : i * 1024 + k]);
      REQUIRE(std::abs(sums[i] - static_cast<double>(expected)) <=
              6e-8 * std::abs(static_cast<double>(expected)) + 1e-12);
    }
  }
}

TEST_CASE("reduce: a float64 sum of a million equal numbers keeps 12 digits") {
  // A running sum is wrong in the 12th digit: numpy.cumsum(numpy.full(10**6, 0.1))[-1] is
  // 100000.00000133288.
  CHECK(std::abs(sum(full({1000000}, 0.1, DType::float64)).item() - 100000) <= 1e-8);
}

TEST_CASE("reduce: sum_to_like undoes a broadcast") {
  const Tensor x = example();
  check_values(sum_to_like(x, zeros({3, 1}, DType::float64)), {3, 1}, {2.875, 10.5, 17.5});
  check_values(sum_to_like(x, zeros({}, DType::float64)), {}, {30.875});
  check_values(sum_to_like(x, zeros({1, 1, 4}, DType::float64)), {1, 1, 4},
               {11.25, 13, -0.5, 7.125});
}

TEST_CASE("reduce: the same bits for any number of threads") {
  const std::vector<float> values = test::noise(600 * 1000);
  for (const Shape& shape :
       {Shape{600000}, {600, 1000}, {100000, 6}, {20, 30, 1000}, {2, 300000}}) {
    const Tensor x = tensor<float>(values, shape);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      CAPTURE(shape.to_string());
      CAPTURE(axis);
      test::check_same_bits_for_any_thread_count([&] { return sum(x, {axis}); });
      test::check_same_bits_for_any_thread_count([&] { return max(x, {axis}); });
      test::check_same_bits_for_any_thread_count([&] { return cumsum(x, axis); });
      test::check_same_bits_for_any_thread_count([&] { return argmax(x, axis); });
    }
    test::check_same_bits_for_any_thread_count([&] { return sum(x); });
  }
}

TEST_CASE("reduce: a row alone gives the bits that it gives inside of a tensor") {
  for (Dim length : {3, 17, 100, 40000}) {
    const std::vector<float> values = test::noise(static_cast<std::size_t>(3 * length));
    const auto sums = sum(tensor<float>(values, {3, length}), {1}).to_vector<float>();
    for (std::size_t row = 0; row < 3; ++row) {
      const auto n = static_cast<std::size_t>(length);
      CHECK(
          sum(tensor(std::span<const float>(values).subspan(row * n, n), {length})).item<float>() ==
          sums[row]);
    }
  }
}

TEST_CASE("reduce: long rows find a NaN and the extremes in every tile") {
  std::vector<float> values = test::noise(100000);
  for (std::size_t at : {0, 16383, 16384, 50001, 99999}) {
    const float before = values[at];
    values[at] = 7;
    check_values(max(tensor<float>(values, {100000})), {}, {7});
    values[at] = -7;
    check_values(min(tensor<float>(values, {100000})), {}, {-7});
    values[at] = std::numeric_limits<float>::quiet_NaN();
    check_values(max(tensor<float>(values, {100000})), {}, {kNan});
    check_values(min(tensor<float>(values, {100000})), {}, {kNan});
    values[at] = before;
  }
}

TEST_CASE("mean, var, stddev, norm: errors name the function that was called") {
  const Tensor whole = tensor<std::int32_t>({1, 2});
  CHECK_THROWS_WITH_AS(mean(whole), "[mean] input 0 is int32 (2,); expected float32, float64",
                       DTypeError);
  CHECK_THROWS_WITH_AS(var(whole), "[var] input 0 is int32 (2,); expected float32, float64",
                       DTypeError);
  CHECK_THROWS_WITH_AS(stddev(whole), "[stddev] input 0 is int32 (2,); expected float32, float64",
                       DTypeError);
  CHECK_THROWS_WITH_AS(norm(whole), "[norm] input 0 is int32 (2,); expected float32, float64",
                       DTypeError);
}

TEST_CASE("print: NaN has no sign") { CHECK(to_string(mean(zeros({0}))) == "nan"); }
