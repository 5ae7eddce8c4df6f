// Adam.
#pragma once

#include "nn/optimizers/optimizer.h"

namespace milgrad::nn {

struct AdamOptions {
  double learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  /// Computes the step size by the float32 operations of Keras instead of in double: for tests that
  /// compare with Keras bit by bit.
  bool exact_keras_scalars = false;
};

/// With t = iterations + 1 and a = lr sqrt(1 - beta_2^t) / (1 - beta_1^t):
/// m += (g - m)(1 - beta_1), v += (g^2 - v)(1 - beta_2), x -= m a / (sqrt(v) + epsilon).
/// (Kingma and Ba 2015, arXiv:1412.6980, the form before section 2.1, as in Keras.)
class AdamOptimizer final : public Optimizer {
 public:
  explicit AdamOptimizer(const AdamOptions& options);

 protected:
  std::vector<Variable> make_slots(const Variable& variable) const override;
  Tensor step_size() const override;
  void update(const Variable& variable, const Tensor& gradient, const Tensor& step_size,
              const std::vector<Variable>& slots) const override;

 private:
  AdamOptions options_;
};

/// Throws ValueError for a beta outside of [0, 1) or an epsilon that is not positive.
std::shared_ptr<AdamOptimizer> Adam(const AdamOptions& options = {});

}  // namespace milgrad::nn
