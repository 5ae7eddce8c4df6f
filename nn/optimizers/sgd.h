// SGD: gradient descent with momentum.
#pragma once

#include "nn/optimizers/optimizer.h"

namespace milgrad::nn {

struct SgdOptions {
  double learning_rate = 0.01;
  /// In [0, 1].
  double momentum = 0;
  bool nesterov = false;
};

/// x -= lr g. With momentum mu: m = mu m - lr g, x += m; nesterov: x += mu m - lr g.
/// (Sutskever et al. 2013.)
class SgdOptimizer final : public Optimizer {
 public:
  explicit SgdOptimizer(const SgdOptions& options);

 protected:
  std::vector<Variable> make_slots(const Variable& variable) const override;
  void update(const Variable& variable, const Tensor& gradient, const Tensor& step_size,
              const std::vector<Variable>& slots) const override;

 private:
  SgdOptions options_;
};

/// Throws ValueError for a momentum outside of [0, 1].
std::shared_ptr<SgdOptimizer> SGD(const SgdOptions& options = {});

}  // namespace milgrad::nn
