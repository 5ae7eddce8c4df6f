// Declares op_NAME for every row of ops.def, and the rules that many definitions share.
#pragma once

#include "tensor/apply.h"
#include "tensor/op.h"
#include "tensor/ops.h"

#include <fmt/format.h>

namespace milgrad {

#define OP(name) extern const OpDef op_##name;
#include "tensor/ops.def"
#undef OP

/// Throws ShapeError unless the op got `count` inputs.
void expect_inputs(const InferArgs& args, int count);
/// Throws DTypeError unless input `i` has one of `dtypes`.
void expect_dtype(const InferArgs& args, int i, DTypes dtypes);
/// Throws DTypeError unless all inputs have the dtype of input 0, and that one of `dtypes`.
void expect_same_dtype(const InferArgs& args, DTypes dtypes);

/// Bytes of all inputs and outputs, each touched once, and `flops` per output element.
template <int flops>
Cost streaming_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs&) {
  Cost cost;
  for (const Spec& spec : inputs)
    cost.bytes +=
        static_cast<double>(spec.shape.numel()) * static_cast<double>(size_of(spec.dtype));
  for (const Spec& spec : outputs) {
    const auto count = static_cast<double>(spec.shape.numel());
    cost.bytes += count * static_cast<double>(size_of(spec.dtype));
    cost.flops += flops * count;
  }
  return cost;
}

/// x reduced over `axes`: the shape with those sizes removed, or 1 if they are kept.
Shape reduced_shape(const Shape& shape, const ReduceAttrs& attrs);

}  // namespace milgrad
