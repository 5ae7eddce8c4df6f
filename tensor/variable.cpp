// Variables: a tensor at a fixed address and its leaf of the tape.
#include "tensor/variable.h"

#include "tensor/mode.h"
#include "tensor/ops.h"

namespace milgrad {

Variable::Variable(const Tensor& initial, VariableOptions options)
    : state_(std::make_shared<State>()) {
  // State exists outside of any trace: a layer built while a model is traced has real weights.
  const RecorderScope computing(nullptr);
  const NoGrad untracked;
  state_->name = std::move(options.name);
  state_->trainable = options.trainable;
  state_->value = copy(initial);
  state_->value.storage()->mark_as_variable();
  state_->leaf = is_floating(initial.dtype()) ? requires_grad(state_->value) : state_->value;
}

Variable::State& Variable::state() const {
  if (!state_) throw ValueError("[variable] the variable is undefined", "construct it first");
  return *state_;
}

void Variable::set_trainable(bool trainable) { state().trainable = trainable; }

const Tensor& Variable::value() const { return trainable() ? state().leaf : state().value; }

void Variable::assign(const Tensor& value) const { milgrad::assign(*this, value); }

}  // namespace milgrad
