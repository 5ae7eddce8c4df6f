// Initializers: how a new weight is filled (Keras 3's formulas).
#pragma once

#include "tensor/tensor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace milgrad::nn {

/// A rule that fills a weight from shape, dtype and seed. A string names a rule with its defaults:
/// "glorot_uniform", "he_normal", "zeros", ...; an unknown one throws ValueError with the nearest.
///
/// Every weight draws its own numbers, also when several weights share one Initializer or its
/// copies. (In Keras 3 an initializer object without a seed repeats the same numbers for every
/// weight of one shape, so that the v, w and u of the attention-MIL example start out equal; that
/// is not reproduced.) The numbers are counter-based (Philox): they depend on seed, shape and rule
/// alone, not on threads or machine.
class Initializer {
 public:
  using Fill = std::function<Tensor(const Shape& shape, DType dtype, std::uint64_t seed)>;

  Initializer(const char* name);         // NOLINT: implicit by intent
  Initializer(const std::string& name);  // NOLINT: implicit by intent
  /// A rule of your own. With a seed the k-th weight filled gets derive_seed(seed, k), without
  /// one next_seed().
  explicit Initializer(std::string name, Fill fill, std::optional<std::uint64_t> seed = {});

  const std::string& name() const;
  /// The values of a new weight; draws a fresh seed. Throws ValueError if the rule's result has
  /// another shape or dtype than asked for.
  Tensor operator()(const Shape& shape, DType dtype = DType::float32) const;

 private:
  struct Rule;
  std::shared_ptr<const Rule> rule_;
};

using Seed = std::optional<std::uint64_t>;

struct VarianceScalingOptions {
  double scale = 1;
  /// "fan_in", "fan_out" or "fan_avg". Fans of a shape: rank 2 (rows, columns); higher ranks the
  /// last two sizes times the product of the others.
  std::string mode = "fan_in";
  /// "truncated_normal" (alias "normal"), "untruncated_normal" or "uniform".
  std::string distribution = "truncated_normal";
  Seed seed = {};
};
/// Variance scale / max(1, fan): uniform in +-sqrt(3 s), normal with deviation sqrt(s), or that
/// normal cut off at two deviations and widened so that the variance is s.
/// (He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010.)
Initializer VarianceScaling(const VarianceScalingOptions& options = {});

struct SeedOptions {
  Seed seed = {};
};
/// Variance 2 / (fan_in + fan_out).
Initializer GlorotUniform(const SeedOptions& options = {});
Initializer GlorotNormal(const SeedOptions& options = {});
/// Variance 2 / fan_in.
Initializer HeUniform(const SeedOptions& options = {});
Initializer HeNormal(const SeedOptions& options = {});
/// Variance 1 / fan_in.
Initializer LecunUniform(const SeedOptions& options = {});
Initializer LecunNormal(const SeedOptions& options = {});

struct NormalOptions {
  double mean = 0;
  double stddev = 0.05;
  Seed seed = {};
};
Initializer RandomNormal(const NormalOptions& options = {});
/// The normal distribution restricted to two deviations about the mean.
Initializer TruncatedNormal(const NormalOptions& options = {});

struct UniformOptions {
  double minval = -0.05;
  double maxval = 0.05;
  Seed seed = {};
};
Initializer RandomUniform(const UniformOptions& options = {});

Initializer Zeros();
Initializer Ones();
Initializer Constant(double value);

}  // namespace milgrad::nn
