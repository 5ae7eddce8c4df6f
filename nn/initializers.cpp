// The distributions of initial weights.
#include "nn/initializers.h"

#include "nn/names.h"
#include "nn/seed.h"
#include "tensor/ops.h"
#include "tensor/random.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

/// Deviation of the standard normal distribution restricted to [-2, 2].
constexpr double kTruncatedDeviation = 0.87962566103423978;

Tensor key_of(std::uint64_t seed) { return RandomGenerator(seed).next_key(); }

Tensor fill_uniform(const Shape& shape, DType dtype, std::uint64_t seed, double low, double high) {
  return random_uniform(key_of(seed), shape, {.low = low, .high = high, .dtype = dtype});
}

Tensor fill_normal(const Shape& shape, DType dtype, std::uint64_t seed, double mean,
                   double stddev) {
  return random_normal(key_of(seed), shape, {.mean = mean, .stddev = stddev, .dtype = dtype});
}

Tensor fill_truncated(const Shape& shape, DType dtype, std::uint64_t seed, double mean,
                      double stddev) {
  return random_truncated_normal(key_of(seed), shape,
                                 {.mean = mean, .stddev = stddev, .dtype = dtype});
}

struct Fans {
  double in;
  double out;
};

Fans fans_of(const Shape& shape) {
  if (shape.rank() == 0) return {1, 1};
  if (shape.rank() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  const int rank = shape.rank();
  const auto receptive = static_cast<double>(shape.product(0, rank - 2));
  return {receptive * static_cast<double>(shape[rank - 2]),
          receptive * static_cast<double>(shape[rank - 1])};
}

double fan_of(const Shape& shape, std::string_view mode) {
  const Fans fans = fans_of(shape);
  const double fan = mode == "fan_in"    ? fans.in
                     : mode == "fan_out" ? fans.out
                                         : (fans.in + fans.out) / 2;
  return std::max(1.0, fan);
}

Tensor fill_scaled(const Shape& shape, DType dtype, std::uint64_t seed,
                   const VarianceScalingOptions& options) {
  const double variance = options.scale / fan_of(shape, options.mode);
  if (options.distribution == "uniform") {
    const double limit = std::sqrt(3 * variance);
    return fill_uniform(shape, dtype, seed, -limit, limit);
  }
  if (options.distribution == "untruncated_normal")
    return fill_normal(shape, dtype, seed, 0, std::sqrt(variance));
  return fill_truncated(shape, dtype, seed, 0, std::sqrt(variance) / kTruncatedDeviation);
}

void check_choice(const char* option, const std::string& got,
                  const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), got) == choices.end())
    throw unknown_name(fmt::format("VarianceScaling {}", option), got, choices);
}

Initializer scaled(const char* name, double scale, const char* mode, const char* distribution,
                   const Seed& seed) {
  const VarianceScalingOptions options{.scale = scale, .mode = mode, .distribution = distribution};
  return Initializer(
      name,
      [options](const Shape& shape, DType dtype, std::uint64_t drawn) {
        return fill_scaled(shape, dtype, drawn, options);
      },
      seed);
}

void check_normal(const char* name, const NormalOptions& options) {
  if (std::isfinite(options.mean) && std::isfinite(options.stddev) && options.stddev >= 0) return;
  throw ValueError(
      fmt::format("[{}] got mean {} and stddev {}; expected finite numbers, stddev >= 0", name,
                  options.mean, options.stddev));
}

struct NamedRule {
  const char* name;
  Initializer (*make)();
};

constexpr std::array kRules{
    NamedRule{"zeros", Zeros},
    NamedRule{"ones", Ones},
    NamedRule{"glorot_uniform", [] { return GlorotUniform(); }},
    NamedRule{"glorot_normal", [] { return GlorotNormal(); }},
    NamedRule{"he_uniform", [] { return HeUniform(); }},
    NamedRule{"he_normal", [] { return HeNormal(); }},
    NamedRule{"lecun_uniform", [] { return LecunUniform(); }},
    NamedRule{"lecun_normal", [] { return LecunNormal(); }},
    NamedRule{"random_normal", [] { return RandomNormal(); }},
    NamedRule{"random_uniform", [] { return RandomUniform(); }},
    NamedRule{"truncated_normal", [] { return TruncatedNormal(); }},
    NamedRule{"variance_scaling", [] { return VarianceScaling(); }},
};

Initializer by_name(const std::string& name) {
  std::vector<std::string> names;
  for (const NamedRule& rule : kRules) {
    if (name == rule.name) return rule.make();
    names.emplace_back(rule.name);
  }
  throw unknown_name("initializer", name, names);
}

}  // namespace

struct Initializer::Rule {
  std::string name;
  Fill fill;
  Seed seed;
  mutable std::atomic<std::uint64_t> filled{0};
};

Initializer::Initializer(const char* name) : Initializer(std::string(name)) {}
Initializer::Initializer(const std::string& name) : Initializer(by_name(name)) {}
Initializer::Initializer(std::string name, Fill fill, Seed seed)
    : rule_(std::make_shared<const Rule>(std::move(name), std::move(fill), seed)) {}

const std::string& Initializer::name() const { return rule_->name; }

Tensor Initializer::operator()(const Shape& shape, DType dtype) const {
  const std::uint64_t seed = rule_->seed ? derive_seed(*rule_->seed, rule_->filled++) : next_seed();
  Tensor values = rule_->fill(shape, dtype, seed);
  if (!(values.spec() == Spec{shape, dtype}))
    throw ValueError(fmt::format("[{}] the initializer gave {}; expected {}", rule_->name,
                                 values.spec().to_string(), Spec{shape, dtype}.to_string()));
  return values;
}

Initializer VarianceScaling(const VarianceScalingOptions& options) {
  if (!(std::isfinite(options.scale) && options.scale > 0))
    throw ValueError(fmt::format("[VarianceScaling] got the scale {}; expected a finite number > 0",
                                 options.scale));
  check_choice("mode", options.mode, {"fan_in", "fan_out", "fan_avg"});
  check_choice("distribution", options.distribution,
               {"truncated_normal", "normal", "untruncated_normal", "uniform"});
  return scaled("variance_scaling", options.scale, options.mode.c_str(),
                options.distribution.c_str(), options.seed);
}

Initializer GlorotUniform(const SeedOptions& options) {
  return scaled("glorot_uniform", 1, "fan_avg", "uniform", options.seed);
}
Initializer GlorotNormal(const SeedOptions& options) {
  return scaled("glorot_normal", 1, "fan_avg", "truncated_normal", options.seed);
}
Initializer HeUniform(const SeedOptions& options) {
  return scaled("he_uniform", 2, "fan_in", "uniform", options.seed);
}
Initializer HeNormal(const SeedOptions& options) {
  return scaled("he_normal", 2, "fan_in", "truncated_normal", options.seed);
}
Initializer LecunUniform(const SeedOptions& options) {
  return scaled("lecun_uniform", 1, "fan_in", "uniform", options.seed);
}
Initializer LecunNormal(const SeedOptions& options) {
  return scaled("lecun_normal", 1, "fan_in", "truncated_normal", options.seed);
}

Initializer RandomNormal(const NormalOptions& options) {
  check_normal("RandomNormal", options);
  return Initializer(
      "random_normal",
      [options](const Shape& shape, DType dtype, std::uint64_t seed) {
        return fill_normal(shape, dtype, seed, options.mean, options.stddev);
      },
      options.seed);
}

Initializer TruncatedNormal(const NormalOptions& options) {
  check_normal("TruncatedNormal", options);
  return Initializer(
      "truncated_normal",
      [options](const Shape& shape, DType dtype, std::uint64_t seed) {
        return fill_truncated(shape, dtype, seed, options.mean, options.stddev);
      },
      options.seed);
}

Initializer RandomUniform(const UniformOptions& options) {
  if (!(std::isfinite(options.minval) && std::isfinite(options.maxval) &&
        options.minval <= options.maxval))
    throw ValueError(
        fmt::format("[RandomUniform] got the range {}..{}; expected finite numbers in "
                    "rising order",
                    options.minval, options.maxval));
  return Initializer(
      "random_uniform",
      [options](const Shape& shape, DType dtype, std::uint64_t seed) {
        return fill_uniform(shape, dtype, seed, options.minval, options.maxval);
      },
      options.seed);
}

Initializer Constant(double value) {
  return Initializer("constant", [value](const Shape& shape, DType dtype, std::uint64_t) {
    return full(shape, value, dtype);
  });
}
Initializer Zeros() {
  return Initializer(
      "zeros", [](const Shape& shape, DType dtype, std::uint64_t) { return zeros(shape, dtype); });
}
Initializer Ones() {
  return Initializer(
      "ones", [](const Shape& shape, DType dtype, std::uint64_t) { return ones(shape, dtype); });
}

}  // namespace milgrad::nn
