// The vector functions on the SIMD target in use: special values, error bounds over the whole range
// of float and double, and results that depend neither on the place in a tensor nor on threads.
#include "backends/cpu/simd_target.h"
#include "tensor/operators.h"
#include "tests/support.h"
#include "tests/values.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <thread>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

const milgrad::test::Listing list_simd("--list-simd", [](std::ostream& out) {
  for (const std::string& target : simd_targets()) out << target << '\n';
});

using Wide = long double;

struct Function {
  const char* name;
  Tensor (*function)(const Tensor&);
  Wide (*exact)(Wide);
  double bound;  // in units of the last place of the exact result
};

// Measured on SSE4, AVX2 and AVX-512: exp 0.97, expm1 1.86, log 0.76, log1p 1.44, tanh 2.29,
// sin 1.50, cos 1.55, erf 1.32, sigmoid 2.26, softplus 1.84, elu 1.09, rsqrt 1.49.
const Function kFunctions[] = {
    {"exp", exp, std::exp, 1},
    {"expm1", expm1, std::expm1, 2},
    {"log", log, std::log, 1},
    {"log1p", log1p, std::log1p, 1.5},
    {"tanh", tanh, std::tanh, 2.5},
    {"sin", sin, std::sin, 2},
    {"cos", cos, std::cos, 2},
    {"erf", erf, std::erf, 1.5},
    {"sigmoid", sigmoid, [](Wide x) { return 1 / (1 + std::exp(-x)); }, 2.5},
    {"softplus", softplus,
     [](Wide x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }, 2},
    {"elu", [](const Tensor& x) { return elu(x); },
     [](Wide x) { return x > 0 ? x : std::expm1(x); }, 1.5},
    {"rsqrt", rsqrt, [](Wide x) { return 1 / std::sqrt(x); }, 1.5},
    {"sqrt", sqrt, std::sqrt, 0.501},
    {"reciprocal", reciprocal, [](Wide x) { return 1 / x; }, 0.501},
    {"floor", floor, std::floor, 0},
    {"round", round, std::nearbyint, 0},
    {"square", square, [](Wide x) { return x * x; }, 0.501},
    {"abs", abs, std::fabs, 0},
    {"neg", [](const Tensor& x) { return neg(x); }, [](Wide x) { return -x; }, 0},
    {"relu", relu, [](Wide x) { return x < 0 ? 0 : x; }, 0},
    {"sign", sign, [](Wide x) { return x > 0   ? 1
                                       : x < 0 ? -1
                                               : x; }, 0},
    {"clip", [](const Tensor& x) { return clip(x, -0.5, 2); },
     [](Wide x) { return x < -0.5L ? -0.5L
                         : x > 2   ? 2
                                   : x; }, 0},
};

/// The distance to the next number of type T.
template <class T>
Wide last_place(Wide exact) {
  using Limits = std::numeric_limits<T>;
  if (std::fabs(exact) < Limits::min()) return Limits::denorm_min();
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::ldexp(Wide(1), exponent - Limits::digits);
}

template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values = {0, Limits::denorm_min(), Limits::min() / 2, Limits::min(),
                           Limits::epsilon(), Limits::epsilon() / 4, T(0.5), 1, 2, T(2.5),
                           // The ends of exp's, tanh's and erf's ranges; sine's change of method.
                           T(88.72283), T(88.72284), T(103.97), T(709.78271289), T(745.14),
                           T(9.0109), T(3.92), T(39000), T(1048575), T(1048577), T(1e10),
                           Limits::max(), Limits::infinity(), Limits::quiet_NaN()};
  for (std::size_t i = 0, count = values.size(); i < count; ++i) values.push_back(-values[i]);
  return values;
}

/// Every so-many-th bit pattern, hence every magnitude and both signs, and ordinary numbers.
template <class T>
std::vector<T> sweep() {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr std::size_t kPatterns = 250007;
  std::vector<T> values = special_values<T>();
  Bits bits = 0;
  for (std::size_t i = 0; i < kPatterns; ++i, bits += ~Bits{0} / kPatterns)
    values.push_back(std::bit_cast<T>(bits));
  for (int i = -60000; i <= 60000; ++i) values.push_back(static_cast<T>(i * 3.7e-4));
  for (int i = -20000; i <= 20000; ++i) values.push_back(static_cast<T>(i * 3.1e-2));
  return values;
}

template <class T>
Tensor vector_of(const std::vector<T>& values) {
  return tensor(values, {static_cast<Dim>(values.size())});
}

/// The error in last places; infinite where one is NaN, infinite or a zero of the other sign.
template <class T>
Wide error_of(T actual, Wide exact) {
  constexpr Wide kWrong = std::numeric_limits<Wide>::infinity();
  const T rounded = static_cast<T>(exact);
  if (std::isnan(rounded) || std::isnan(actual))
    return std::isnan(rounded) && std::isnan(actual) ? 0 : kWrong;
  if (std::isinf(rounded) || std::isinf(actual)) return rounded == actual ? 0 : kWrong;
  if (exact == 0 && std::signbit(actual) != std::signbit(exact)) return kWrong;
  return std::fabs(actual - exact) / last_place<T>(exact);
}

template <class T>
void check_function(const Function& f) {
  const std::string name = f.name;
  CAPTURE(name);
  const std::string dtype = name_of(dtype_of<T>());
  CAPTURE(dtype);
  const std::vector<T> x = sweep<T>();
  const Tensor result = f.function(vector_of(x));
  const auto y = result.data<T>();
  Wide worst = 0;
  T at = 0, got = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Wide error = error_of(y[i], f.exact(x[i]));
    if (!(error > worst)) continue;
    worst = error;
    at = x[i];
    got = y[i];
  }
  CAPTURE(at);
  CAPTURE(got);
  CHECK(static_cast<double>(worst) <= f.bound);
}

/// An unaligned stretch of ordinary numbers and one large one, which sine treats by itself.
std::vector<float> mixed_values() {
  std::vector<float> values = milgrad::test::noise(71);
  for (float& value : values) value *= 6;
  values[5] = 3e7f;
  values[40] = std::numeric_limits<float>::quiet_NaN();
  return values;
}

}  // namespace

TEST_CASE("simd: the target in use is one of this machine's") {
  const auto targets = simd_targets();
  CHECK(std::count(targets.begin(), targets.end(), simd_target()) == 1);
  if (const char* wanted = std::getenv("MILGRAD_SIMD"); wanted != nullptr && *wanted != '\0')
    CHECK(simd_target() == wanted);
  else
    CHECK(simd_target() == targets.back());
}

TEST_CASE("simd: MILGRAD_SIMD chooses the target, and a wrong name says which there are") {
  const auto info_with = [](const std::string& target) {
    return milgrad::test::run({milgrad::test::program("mil").string(), "info"},
                              {.environment = {{"MILGRAD_SIMD", target}}});
  };
  const auto targets = simd_targets();
  for (const std::string& target : targets)
    CHECK(info_with(target).out.find("SIMD target   " + target + "\n") != std::string::npos);
  CHECK(info_with("").out.find("SIMD target   " + targets.back() + "\n") != std::string::npos);
  const auto wrong = info_with("mmx");
  CHECK(wrong.exit_code != 0);
  std::string expected = "MILGRAD_SIMD is \"mmx\"; expected one of ";
  for (const std::string& target : targets)
    expected += (target == targets.front() ? "" : ", ") + target;
  CHECK_MESSAGE(wrong.err.find(expected) != std::string::npos, wrong.err);
}

TEST_CASE("simd: every function of one tensor keeps its error bound over the whole range") {
  for (const Function& f : kFunctions) {
    check_function<float>(f);
    check_function<double>(f);
  }
}

TEST_CASE("simd: gelu is within 2 last places of |x|, since its left tail cancels") {
  const auto check = [&]<class T>(T) {
    const std::vector<T> x = sweep<T>();
    const Tensor result = gelu(vector_of(x));
    const auto y = result.template data<T>();
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        if (!std::isnan(y[i])) worst = std::numeric_limits<double>::infinity();
        continue;
      }
      const Wide exact = std::isinf(x[i]) ? (x[i] > 0 ? Wide(x[i]) : 0)
                                          : x[i] / 2 * std::erfc(-x[i] * std::sqrt(Wide(0.5)));
      if (std::isinf(x[i]) && x[i] > 0 ? y[i] != x[i] : !std::isfinite(y[i]))
        worst = std::numeric_limits<double>::infinity();
      else if (std::isfinite(x[i]))
        worst = std::max(worst, static_cast<double>(std::fabs(y[i] - exact) / last_place<T>(x[i])));
    }
    CHECK(worst <= 2);
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("simd: binary functions on all pairs of special values") {
  const auto check = [&]<class T>(T) {
    const std::vector<T> values = special_values<T>();
    const auto n = static_cast<Dim>(values.size());
    const Tensor a = tensor(values, {n, 1}), b = tensor(values, {1, n});
    const auto compare = [&](const char* name, const Tensor& result, T (*exact)(T, T)) {
      const auto y = result.template data<T>();
      for (std::size_t i = 0; i < y.size(); ++i) {
        const T left = values[i / values.size()], right = values[i % values.size()];
        const T expected = exact(left, right);
        const bool same = std::isnan(expected) ? std::isnan(y[i]) : y[i] == expected;
        CHECK_MESSAGE(same, name, "(", left, ", ", right, ") is ", y[i], ", not ", expected);
      }
    };
    compare("add", add(a, b), [](T x, T y) { return x + y; });
    compare("sub", sub(a, b), [](T x, T y) { return x - y; });
    compare("mul", mul(a, b), [](T x, T y) { return x * y; });
    compare("div", div(a, b), [](T x, T y) { return x / y; });
    compare("pow", pow(a, b), [](T x, T y) { return std::pow(x, y); });
    const auto with_nan = [](T x, T y, T other) { return x != x ? x : y != y ? y : other; };
    static const auto keep_nan = with_nan;
    compare("maximum", maximum(a, b), [](T x, T y) { return keep_nan(x, y, x > y ? x : y); });
    compare("minimum", minimum(a, b), [](T x, T y) { return keep_nan(x, y, x < y ? x : y); });
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("simd: a result depends neither on the place in the tensor nor on its neighbours") {
  const std::vector<float> values = mixed_values();
  for (const Function& f : kFunctions) {
    const std::string name = f.name;
    CAPTURE(name);
    std::vector<float> alone;
    for (float value : values) alone.push_back(f.function(vector_of<float>({value})).item<float>());
    for (std::size_t first = 0; first < 5; ++first)
      for (std::size_t count = 1; first + count <= values.size(); ++count) {
        const std::vector<float> part(values.begin() + first, values.begin() + first + count);
        const Tensor y = f.function(vector_of(part));
        const std::vector<float> expected(alone.begin() + first, alone.begin() + first + count);
        if (!milgrad::test::same_bits(y, vector_of(expected))) {
          CAPTURE(first);
          FAIL_CHECK(count, " elements differ from single ones");
        }
      }
  }
}

TEST_CASE("simd: the same bits for any number of threads") {
  const Tensor x = vector_of(milgrad::test::noise(300007));
  const Tensor matrix = milgrad::test::noisy({1000, 300});
  const Tensor row = milgrad::test::noisy({300});
  const Tensor column = milgrad::test::noisy({1000, 1});
  const Tensor thin = milgrad::test::noisy({3});
  const Tensor tall = milgrad::test::noisy({100000, 3});
  using milgrad::test::check_same_bits_for_any_thread_count;
  check_same_bits_for_any_thread_count([&] { return tanh(x); });
  check_same_bits_for_any_thread_count([&] { return x * 3 + sin(x); });
  check_same_bits_for_any_thread_count([&] { return pow(abs(matrix), row); });
  check_same_bits_for_any_thread_count([&] { return matrix * column - row; });
  check_same_bits_for_any_thread_count([&] { return tall + thin; });
  check_same_bits_for_any_thread_count([&] { return greater(matrix, column); });
  check_same_bits_for_any_thread_count([&] { return where(greater(row, 0), matrix, column); });
  check_same_bits_for_any_thread_count([&] { return cast(x * 1000, DType::int32) * 7; });
}
