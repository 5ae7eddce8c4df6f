// SGD by the operation sgd_update.
#include "nn/optimizers/sgd.h"

#include "tensor/ops.h"

#include <fmt/format.h>

namespace milgrad::nn {

SgdOptimizer::SgdOptimizer(const SgdOptions& options)
    : Optimizer("SGD", options.learning_rate), options_(options) {
  if (!(options.momentum >= 0 && options.momentum <= 1))
    throw ValueError(
        fmt::format("[{}] momentum {}; expected a number in 0..1", name(), options.momentum));
}

std::vector<Variable> SgdOptimizer::make_slots(const Variable& variable) const {
  if (options_.momentum == 0) return {};
  return {zeros_like(variable, "momentum")};
}

void SgdOptimizer::update(const Variable& variable, const Tensor& gradient, const Tensor& step_size,
                          const std::vector<Variable>& slots) const {
  const SgdAttrs attrs{.momentum = options_.momentum, .nesterov = options_.nesterov};
  if (slots.empty())
    sgd_update(variable, gradient, step_size);
  else
    sgd_update(variable, gradient, step_size, slots[0], attrs);
}

std::shared_ptr<SgdOptimizer> SGD(const SgdOptions& options) {
  return std::make_shared<SgdOptimizer>(options);
}

}  // namespace milgrad::nn
