// Lending of compiled functions to threads.
#include "nn/infer_step.h"

#include <utility>

namespace milgrad::nn {

Tensors InferStep::operator()(const Tensors& inputs) {
  std::unique_ptr<CompiledFunction> step;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      step = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (step == nullptr)
    step = std::make_unique<CompiledFunction>(function_, CompileOptions{.name = "infer_step"});
  Tensors outputs;
  try {
    outputs = (*step)(inputs);
  } catch (const TraceError& error) {
    throw TraceError(error.what(), kRunEagerly);
  }
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(step));
  return outputs;
}

}  // namespace milgrad::nn
