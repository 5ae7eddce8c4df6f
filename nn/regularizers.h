// Regularizers: penalties on weights that are added to the loss.
#pragma once

#include "tensor/tensor.h"

#include <functional>
#include <memory>
#include <string>

namespace milgrad::nn {

/// A penalty: a scalar tensor from a weight. Empty by default: none. A string names a rule with
/// its defaults: "l1" or "l2"; an unknown one throws ValueError with the nearest.
class Regularizer {
 public:
  using Penalty = std::function<Tensor(const Tensor& weight)>;

  Regularizer() = default;
  Regularizer(const char* name);         // NOLINT: implicit by intent
  Regularizer(const std::string& name);  // NOLINT: implicit by intent
  /// A penalty of your own, written with tensor operations.
  explicit Regularizer(std::string name, Penalty penalty);

  explicit operator bool() const { return rule_ != nullptr; }
  const std::string& name() const;
  /// Throws ValueError when empty, ShapeError when the penalty is no scalar.
  Tensor operator()(const Tensor& weight) const;

 private:
  struct Rule;
  std::shared_ptr<const Rule> rule_;
};

/// l1 * sum |w|. Throws ValueError unless the factor is finite and not negative, as do the others.
Regularizer L1(double l1 = 0.01);
/// l2 * sum w^2, without a factor 1/2.
Regularizer L2(double l2 = 0.01);

struct L1L2Options {
  double l1 = 0;
  double l2 = 0;
};
Regularizer L1L2(const L1L2Options& options);

}  // namespace milgrad::nn
