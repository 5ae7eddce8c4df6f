// What all optimizers share: learning rate, iteration count and the slots of each variable.
#include "nn/optimizers/optimizer.h"

#include "nn/config.h"
#include "nn/names.h"
#include "nn/optimizers/adam.h"
#include "nn/optimizers/sgd.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <cmath>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

void check_learning_rate(const std::string& name, double learning_rate) {
  if (!std::isfinite(learning_rate) || learning_rate < 0)
    throw ValueError(fmt::format("[{}] learning_rate {}; expected a finite number of at least 0",
                                 name, learning_rate));
}

}  // namespace

std::shared_ptr<Optimizer> Optimizer::by_name(const std::string& name) {
  if (name == "adam") return Adam();
  if (name == "sgd") return SGD();
  throw unknown_name("optimizer", name, {"adam", "sgd"});
}

Optimizer::Optimizer(const std::string& class_name, double learning_rate)
    : name_(unique_name(class_name)),
      learning_rate_(scalar(learning_rate, floatx()),
                     {.name = "learning_rate", .trainable = false}),
      iterations_(scalar(0, DType::int32), {.name = "iteration", .trainable = false}) {
  check_learning_rate(name_, learning_rate);
}

void Optimizer::set_learning_rate(double learning_rate) const {
  check_learning_rate(name_, learning_rate);
  learning_rate_.assign(scalar(learning_rate, learning_rate_.dtype()));
}

void Optimizer::build(const std::vector<Variable>& variables) {
  if (built_) {
    if (variables == trained_) return;
    throw ValueError(
        fmt::format("[{}] the optimizer was built for other variables", name_),
        "give each model an optimizer of its own, and a new one where other weights are trained");
  }
  for (const Variable& variable : variables) slots_.push_back(make_slots(variable));
  trained_ = variables;
  built_ = true;
}

void Optimizer::apply(const Tensors& gradients) {
  if (gradients.size() != trained_.size())
    throw ValueError(fmt::format("[{}] got {} gradients for {} variables", name_, gradients.size(),
                                 trained_.size()));
  const NoGrad no_grad;
  const Tensor size = step_size();
  for (std::size_t i = 0; i < trained_.size(); ++i)
    update(trained_[i], gradients[i], size, slots_[i]);
  iterations_.assign(iterations_.value() + scalar(1, DType::int32));
}

std::vector<Variable> Optimizer::variables() const {
  std::vector<Variable> result{iterations_, learning_rate_};
  for (const auto& slots : slots_) result.insert(result.end(), slots.begin(), slots.end());
  return result;
}

Variable Optimizer::zeros_like(const Variable& variable, const std::string& name) {
  return Variable(zeros(variable.shape(), variable.dtype()),
                  {.name = variable.name() + "_" + name, .trainable = false});
}

}  // namespace milgrad::nn
