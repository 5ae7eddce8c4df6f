// The elementwise operations beyond what the registry tests hold: values at edges, gradients at
// kinks and ties, integers, casts, every way to broadcast, operators with numbers, and errors.
#include "autograd/grad.h"
#include "tensor/operators.h"
#include "tests/values.h"

#include <cmath>
#include <limits>
#include <random>

#include <doctest/doctest.h>

using namespace milgrad;
using milgrad::test::check_values;
using milgrad::test::numbers;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor doubles(const std::vector<double>& values) {
  return tensor(values, {static_cast<Dim>(values.size())});
}

/// d sum(f(x)) / dx
template <class F>
std::vector<double> slope(const std::vector<double>& at, const F& f) {
  const Tensor x = requires_grad(doubles(at));
  return numbers(grad(sum(f(x)), x));
}

using Values = std::vector<double>;

/// The reference: coordinates one by one.
double at_broadcast(const Tensor& x, const Shape& out, std::int64_t index) {
  std::int64_t offset = 0, stride = 1;
  for (int axis = out.rank() - 1; axis >= 0; --axis) {
    const std::int64_t coordinate = index % out[axis];
    index /= out[axis];
    const int own = axis - (out.rank() - x.rank());
    if (own < 0) continue;
    if (x.shape()[own] != 1) offset += coordinate * stride;
    stride *= x.shape()[own];
  }
  return numbers(x)[static_cast<std::size_t>(offset)];
}

Shape random_shape(std::mt19937& random, const Shape& out) {
  Shape shape;
  const int rank = static_cast<int>(random() % static_cast<unsigned>(out.rank() + 1));
  for (int axis = out.rank() - rank; axis < out.rank(); ++axis)
    shape.push_back(random() % 2 == 0 ? out[axis] : 1);
  return shape;
}

Tensor counting(const Shape& shape, DType dtype) {
  Values values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 97);
  return cast(tensor(values, shape), dtype);
}

}  // namespace

TEST_CASE("elementwise: NaN passes through every function of one or two tensors") {
  const Tensor x = doubles({kNaN, 1});
  for (const Tensor& y : {neg(x), abs(x), sign(x), relu(x), elu(x), gelu(x), clip(x, 0, 1),
                          round(x), floor(x), sigmoid(x), softplus(x), tanh(x), maximum(x, 0),
                          minimum(x, 0), maximum(doubles({0}), x), minimum(doubles({0}), x)})
    CHECK(std::isnan(numbers(y)[0]));
}

TEST_CASE("elementwise: halves round to the even number") {
  check_values(round(doubles({-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6})), {7},
               {-2, -2, -0.0, 0, 2, 2, 3});
}

TEST_CASE("elementwise: gradients at kinks, bounds and ties") {
  CHECK(slope({-2, 0, 3}, [](const Tensor& x) { return abs(x); }) == Values{-1, 0, 1});
  CHECK(slope({-2, 0, 3}, [](const Tensor& x) { return relu(x); }) == Values{0, 0, 1});
  CHECK(slope({-2, -1, 0, 1, 2}, [](const Tensor& x) { return clip(x, -1, 1); }) ==
        Values{0, 1, 1, 1, 0});
  CHECK(slope({-1, 0, 1}, [](const Tensor& x) { return maximum(x, 0); }) == Values{0, 0.5, 1});
  CHECK(slope({-1, 0, 1}, [](const Tensor& x) { return minimum(x, 0); }) == Values{1, 0.5, 0});
  CHECK(slope({2}, [](const Tensor& x) { return maximum(x, x); }) == Values{1});
  CHECK(slope({0.4, 1.7}, [](const Tensor& x) { return round(x) + floor(x) + sign(x); }) ==
        Values{0, 0});
}

TEST_CASE("elementwise: the gradient of pow at base 0 and exponent 0 is finite") {
  // d(a^b)/da = b a^(b-1) is 0 where b = 0, d/db = a^b log(a) is 0 where a = 0; not 0 * inf.
  const Tensor a = requires_grad(doubles({0, 0, 0, 2})), b = requires_grad(doubles({0, 1, 2, 0}));
  const Tensors g = grad({sum(pow(a, b))}, {a, b});
  check_values(g[0], {4}, {0, 1, 0, 0});
  check_values(g[1], {4}, {0, 0, 0, std::log(2)}, 1e-15);
}

TEST_CASE("elementwise: integer arithmetic wraps around") {
  const Tensor x = tensor<std::int32_t>(
      {std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min(), -3});
  CHECK((x + 1).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min(),
                                  std::numeric_limits<std::int32_t>::min() + 1, -2});
  CHECK(square(x).to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 0, 9});
  CHECK(abs(x).to_vector<std::int32_t>()[1] == std::numeric_limits<std::int32_t>::min());
  CHECK(sign(x).to_vector<std::int32_t>() == std::vector<std::int32_t>{1, -1, -1});
  CHECK(maximum(x, -1).to_vector<std::int32_t>()[2] == -1);
  const Tensor bytes = tensor<std::uint8_t>({200, 7});
  CHECK((bytes * 2).to_vector<std::uint8_t>() == std::vector<std::uint8_t>{144, 14});
  CHECK((7 - bytes).to_vector<std::uint8_t>() == std::vector<std::uint8_t>{63, 0});
  const Tensor large = tensor<std::int64_t>({std::int64_t{1} << 62});
  CHECK((large * 2).item<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("elementwise: cast to an integer drops the fraction and stays within its range") {
  const Tensor x =
      doubles({-kInfinity, -1e30, -2.9, -0.5, 0.5, 2.9, 300, 3e9, 1e30, kInfinity, kNaN});
  for (DType from : {DType::float32, DType::float64}) {
    const Tensor y = cast(x, from);
    check_values(cast(y, DType::uint8), {11}, {0, 0, 0, 0, 0, 2, 255, 255, 255, 255, 0});
    const double low = -2147483648.0, high = 2147483647.0;
    check_values(cast(y, DType::int32), {11}, {low, low, -2, 0, 0, 2, 300, high, high, high, 0});
    const auto wide = cast(y, DType::int64).to_vector<std::int64_t>();
    CHECK(wide[1] == std::numeric_limits<std::int64_t>::min());
    CHECK(wide[7] == 3000000000);
    CHECK(wide[9] == std::numeric_limits<std::int64_t>::max());
    CHECK(wide[10] == 0);
    CHECK(cast(y, DType::boolean).to_vector<bool>() == std::vector<bool>(11, true));
  }
}

TEST_CASE("elementwise: cast between all pairs of dtypes keeps numbers that both hold") {
  const std::vector<DType> all = {DType::float32, DType::float64, DType::int32,
                                  DType::int64,   DType::uint8,   DType::boolean};
  const Tensor x = doubles({0, 1});
  for (DType from : all)
    for (DType to : all) {
      const Tensor y = cast(cast(x, from), to);
      CHECK(y.dtype() == to);
      CHECK(numbers(cast(y, DType::float64)) == Values{0, 1});
    }
  const Tensor wide = tensor<std::int64_t>({-1, 257, (std::int64_t{1} << 32) + 5});
  check_values(cast(wide, DType::uint8), {3}, {255, 1, 5});
  check_values(cast(wide, DType::int32), {3}, {-1, 257, 5});
}

TEST_CASE("elementwise: a gradient passes casts between floating dtypes only") {
  const Tensor x = requires_grad(doubles({1.5, -2}));
  check_values(grad(sum(square(cast(x, DType::float32))), x), {2}, {3, -4});
  CHECK_THROWS_WITH_AS(grad(sum(cast(cast(x, DType::int32), DType::float64)), x),
                       "[cast] float64 (2,) to int32 is not differentiable: the result is constant "
                       "almost everywhere",
                       GradientError);
  CHECK_THROWS_WITH_AS(
      grad(sum(cast(greater(x, 0), DType::float64)), x),
      "[greater] is not differentiable: a comparison is constant almost everywhere; choose between "
      "differentiable values by where()",
      GradientError);
}

TEST_CASE("elementwise: comparisons and logic") {
  const Tensor a = doubles({1, 2, 3, kNaN}), b = doubles({2, 2, 2, kNaN});
  const auto values = [](const Tensor& x) { return x.to_vector<bool>(); };
  using Bools = std::vector<bool>;
  CHECK(values(equal(a, b)) == Bools{false, true, false, false});
  CHECK(values(not_equal(a, b)) == Bools{true, false, true, true});
  CHECK(values(less(a, b)) == Bools{true, false, false, false});
  CHECK(values(less_equal(a, b)) == Bools{true, true, false, false});
  CHECK(values(greater(a, b)) == Bools{false, false, true, false});
  CHECK(values(greater_equal(a, b)) == Bools{false, true, true, false});
  CHECK(values(equal(a, 3)) == Bools{false, false, true, false});
  CHECK(values(isfinite(doubles({1, kInfinity, -kInfinity, kNaN}))) ==
        Bools{true, false, false, false});
  const Tensor p = tensor<bool>({false, false, true, true});
  const Tensor q = tensor<bool>({false, true, false, true});
  CHECK(values(logical_and(p, q)) == Bools{false, false, false, true});
  CHECK(values(logical_or(p, q)) == Bools{false, true, true, true});
  CHECK(values(logical_xor(p, q)) == Bools{false, true, true, false});
  CHECK(values(logical_not(p)) == Bools{true, true, false, false});
}

TEST_CASE("elementwise: a value that where() does not take neither shows nor passes a gradient") {
  const Tensor x = requires_grad(doubles({0, 4}));
  const Tensor safe = where(equal(x, 0), ones({2}, DType::float64), x);
  const Tensor y = where(equal(x, 0), zeros({2}, DType::float64), log(safe));
  check_values(y, {2}, {0, std::log(4)}, 1e-15);
  check_values(grad(sum(y), x), {2}, {0, 0.25});
}

TEST_CASE("elementwise: broadcasting of random shapes against coordinates one by one") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Shape out;
    const int rank = static_cast<int>(random() % 7);
    for (int axis = 0; axis < rank; ++axis) out.push_back(1 + random() % (rank > 4 ? 3 : 9));
    if (round % 10 == 0 && rank > 0) out[rank - 1] = 70;
    const DType dtype = round % 3 == 0   ? DType::int32
                        : round % 3 == 1 ? DType::float32
                                         : DType::float64;
    const Tensor a = counting(random_shape(random, out), dtype),
                 b = counting(random_shape(random, out), dtype), full = counting(out, dtype),
                 condition = greater(a, b);
    CAPTURE(a.shape().to_string());
    CAPTURE(b.shape().to_string());
    CAPTURE(out.to_string());
    const Values difference = numbers(a - b), chosen = numbers(where(condition, full, b)),
                 moved = numbers(full - a);
    const Shape pair = (a - b).shape();
    bool same = true;
    for (std::size_t i = 0; i < difference.size(); ++i)
      same = same && difference[i] == at_broadcast(a, pair, static_cast<std::int64_t>(i)) -
                                          at_broadcast(b, pair, static_cast<std::int64_t>(i));
    for (std::size_t i = 0; i < moved.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      const double left = at_broadcast(a, out, index), right = at_broadcast(b, out, index);
      same = same && moved[i] == numbers(full)[i] - left;
      same = same && chosen[i] == (left > right ? numbers(full)[i] : right);
    }
    CHECK(same);
  }
}

TEST_CASE("elementwise: tensors without elements") {
  CHECK((zeros({0, 3}) + ones({3})).shape() == Shape{0, 3});
  CHECK(exp(zeros({4, 0})).shape() == Shape{4, 0});
  CHECK(where(zeros({0}, DType::boolean), ones({0}), ones({1})).shape() == Shape{0});
}

TEST_CASE("elementwise: operators of tensors and numbers") {
  const Tensor x = doubles({1, 2, 4});
  check_values(-x, {3}, {-1, -2, -4});
  check_values(1 + x * 2 - 0.5, {3}, {2.5, 4.5, 8.5});
  check_values(8 / x - x / 4, {3}, {7.75, 3.5, 1});
  check_values(10 - x, {3}, {9, 8, 6});
  check_values(x * x + x / x, {3}, {2, 5, 17});
  check_values(pow(x, 2), {3}, {1, 4, 16});
  CHECK((cast(x, DType::float32) * 0.1).dtype() == DType::float32);
  CHECK((cast(x, DType::int64) + 1).dtype() == DType::int64);
}

TEST_CASE("elementwise: errors say what came and what to do") {
  const Tensor whole = zeros({6}, DType::int32), x = zeros({2, 3}), y = zeros({2, 4});
  const auto message = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      return std::string(error.what()) + " | " + error.hint();
    }
    return "nothing was thrown";
  };
  CHECK(message([&] { whole * 0.5; }) ==
        "[mul] the number 0.5 is no int32, the dtype of the tensor (6,) | use cast()");
  CHECK(message([&] { 3e9 - whole; }) ==
        "[sub] the number 3000000000 is no int32, the dtype of the tensor (6,) | use cast()");
  CHECK(message([&] { exp(whole); }) ==
        "[exp] input 0 is int32 (6,); expected float32, float64 | use cast()");
  CHECK(message([&] { whole / whole; }) ==
        "[div] input 0 is int32 (6,); expected float32, float64 | use cast()");
  CHECK(message([&] { neg(zeros({1}, DType::uint8)); }) ==
        "[neg] input 0 is uint8 (1,); expected float32, float64, int32, int64 | use cast()");
  CHECK(message([&] { x + y; }).find("[add] shapes (2, 3) and (2, 4) do not broadcast") == 0);
  CHECK(message([&] { x + cast(x, DType::float64); }) ==
        "[add] input 1 is float64 (2, 3) but input 0 is float32 (2, 3) | dtypes are never "
        "promoted; use cast()");
  CHECK(message([&] { clip(x, 2, 1); }).find("[clip] bounds 2 and 1; expected low <= high") == 0);
  CHECK(message([&] { clip(x, kNaN, 1); }).find("[clip] bounds nan and 1") == 0);
  CHECK(message([&] { where(x, x, x); }) ==
        "[where] input 0 is float32 (2, 3); expected bool | use cast()");
}
