// InferStep: a model's outputs for its inputs, compiled.
#pragma once

#include "autograd/compile.h"

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace milgrad::nn {

/// The cure for a step that cannot be traced.
inline constexpr const char* kRunEagerly =
    "compute with tensor operations alone, or compile the model with {.run_eagerly = true}";

/// A function of tensors that several threads may call at once: each call takes a compiled function
/// that no other is using.
class InferStep {
 public:
  explicit InferStep(CompiledFunction::Function function) : function_(std::move(function)) {}

  /// Throws TraceError, with the cure, if the function reads values on the host.
  Tensors operator()(const Tensors& inputs);

 private:
  CompiledFunction::Function function_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<CompiledFunction>> idle_;
};

}  // namespace milgrad::nn
