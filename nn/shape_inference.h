// Shape inference: runs a layer's call() on tensors without elements to learn its output shapes.
#pragma once

#include "tensor/mode.h"
#include "tensor/tensor.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace milgrad::nn {

/// Calls `function` on abstract tensors of these specs; every operation only infers. Returns the
/// specs of the results. Reading elements inside throws TraceError.
std::vector<Spec> infer_specs(std::span<const Spec> inputs,
                              const std::function<Tensors(const Tensors&)>& function);

}  // namespace milgrad::nn
