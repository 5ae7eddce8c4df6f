// The funnel: the only way an operation happens.
#pragma once

#include "tensor/attrs.h"
#include "tensor/op.h"
#include "tensor/tensor.h"

#include <initializer_list>
#include <span>
#include <vector>

namespace milgrad {

/// Shape and dtype of each, as infer rules and traces take them.
std::vector<Spec> specs_of(std::span<const Tensor> tensors);

/// Infers the outputs of `op`; under a recorder appends it there, otherwise runs the kernel of the
/// inputs' device; puts it on the tape if an input is tracked. Throws ShapeError, DTypeError,
/// DeviceError, TraceError, or ValueError for an undefined input.
Tensors apply(Op op, const Attrs& attrs, std::span<const Tensor> inputs);
inline Tensors apply(Op op, const Attrs& attrs, std::initializer_list<Tensor> inputs) {
  return apply(op, attrs, std::span<const Tensor>(inputs.begin(), inputs.size()));
}

/// The same for an operation with one output.
Tensor apply_one(Op op, const Attrs& attrs, std::span<const Tensor> inputs);
inline Tensor apply_one(Op op, const Attrs& attrs, std::initializer_list<Tensor> inputs) {
  return apply_one(op, attrs, std::span<const Tensor>(inputs.begin(), inputs.size()));
}

}  // namespace milgrad
