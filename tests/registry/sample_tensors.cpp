// Random values by domain, conversion and comparison on the host.
#include "tests/registry/sample_tensors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace milgrad::test {
namespace {

using Domain = SampleInput::Domain;

std::vector<double> real_values(const SampleInput& input, std::size_t count,
                                std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<double> values(count);
  for (double& x : values) {
    switch (input.domain) {
      case Domain::nonzero:
        x = (unit(random) < 0.5 ? -1 : 1) * (0.3 + unit(random));
        break;
      case Domain::positive:
        x = 0.5 + 1.5 * unit(random);
        break;
      case Domain::unit:
        x = 0.1 + 0.8 * unit(random);
        break;
      case Domain::symmetric:
        x = 1.8 * unit(random) - 0.9;
        break;
      case Domain::ties:
        x = std::floor(3 * unit(random));
        break;
      default:
        x = normal(random);
        break;
    }
  }
  if (input.domain == Domain::distinct) {
    std::iota(values.begin(), values.end(), -static_cast<double>(count) / 2);
    std::shuffle(values.begin(), values.end(), random);
    for (double& x : values) x *= 0.25;
  }
  return values;
}

Tensor offsets(const SampleInput& input, std::size_t count, std::mt19937_64& random) {
  std::uniform_int_distribution<std::int64_t> any(0, input.limit);
  std::vector<std::int64_t> values(count);
  for (auto& x : values) x = any(random);
  std::sort(values.begin(), values.end());
  values.front() = 0;
  values.back() = input.limit;
  return tensor(values, input.shape);
}

}  // namespace

Tensor sample_tensor(const SampleInput& input, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto count = static_cast<std::size_t>(input.shape.numel());
  if (input.domain == Domain::offsets) return offsets(input, count, random);
  if (input.domain == Domain::integers) {
    std::uniform_int_distribution<std::int64_t> any(0, input.limit - 1);
    std::vector<std::int64_t> values(count);
    for (auto& x : values) x = any(random);
    return tensor(values, input.shape);
  }
  if (input.domain == Domain::boolean) {
    std::vector<double> values(count);
    for (double& x : values) x = static_cast<double>(random() & 1u);
    return converted(tensor(values, input.shape), DType::boolean);
  }
  return tensor(real_values(input, count, random), input.shape);
}

Tensors sample_tensors(const Sample& sample, std::uint64_t seed) {
  Tensors result;
  for (const SampleInput& input : sample.inputs)
    result.push_back(sample_tensor(input, seed + 1000 * result.size()));
  return result;
}

Tensor converted(const Tensor& x, DType dtype) {
  Tensor result = Tensor::empty({x.shape(), dtype});
  visit_dtype(x.dtype(), [&]<class From>() {
    const From* from = reinterpret_cast<const From*>(x.raw_data());
    visit_dtype(dtype, [&]<class To>() {
      To* to = reinterpret_cast<To*>(result.raw_data());
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        const auto value = static_cast<double>(from[i]);
        if constexpr (std::is_same_v<To, bool>)
          to[i] = value != 0;
        else if constexpr (std::is_unsigned_v<To>)
          to[i] = static_cast<To>(std::abs(std::round(value)));
        else if constexpr (std::is_integral_v<To>)
          to[i] = static_cast<To>(std::round(value));
        else
          to[i] = static_cast<To>(value);
      }
    });
  });
  return result;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return std::numeric_limits<double>::infinity();
  const Tensor x = converted(a, DType::float64), y = converted(b, DType::float64);
  const auto u = x.data<double>(), v = y.data<double>();
  double scale = 1, worst = 0;
  for (double value : v)
    if (std::isfinite(value)) scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < u.size(); ++i) {
    if (u[i] == v[i] || (std::isnan(u[i]) && std::isnan(v[i]))) continue;
    const double difference = std::abs(u[i] - v[i]) / scale;
    worst = std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                   : std::max(worst, difference);
  }
  return worst;
}

}  // namespace milgrad::test
