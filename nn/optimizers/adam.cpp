// Adam by the operations adam_step_size and adam_update.
#include "nn/optimizers/adam.h"

#include "tensor/ops.h"

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

void check_beta(const std::string& name, const char* option, double beta) {
  if (!(beta >= 0 && beta < 1))
    throw ValueError(
        fmt::format("[{}] {} {}; expected a number in 0..1, less than 1", name, option, beta));
}

}  // namespace

AdamOptimizer::AdamOptimizer(const AdamOptions& options)
    : Optimizer("Adam", options.learning_rate), options_(options) {
  check_beta(name(), "beta_1", options.beta_1);
  check_beta(name(), "beta_2", options.beta_2);
  if (!(options.epsilon > 0))
    throw ValueError(
        fmt::format("[{}] epsilon {}; expected a positive number", name(), options.epsilon));
}

std::vector<Variable> AdamOptimizer::make_slots(const Variable& variable) const {
  return {zeros_like(variable, "momentum"), zeros_like(variable, "velocity")};
}

Tensor AdamOptimizer::step_size() const {
  return adam_step_size(learning_rate(), iterations(),
                        {.beta_1 = options_.beta_1,
                         .beta_2 = options_.beta_2,
                         .float32_step_size = options_.exact_keras_scalars});
}

void AdamOptimizer::update(const Variable& variable, const Tensor& gradient,
                           const Tensor& step_size, const std::vector<Variable>& slots) const {
  adam_update(variable, slots[0], slots[1], gradient, step_size,
              {.beta_1 = options_.beta_1, .beta_2 = options_.beta_2, .epsilon = options_.epsilon});
}

std::shared_ptr<AdamOptimizer> Adam(const AdamOptions& options) {
  return std::make_shared<AdamOptimizer>(options);
}

}  // namespace milgrad::nn
