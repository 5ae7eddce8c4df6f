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

/// Throws ShapeError unless 0 <= axis < rank of input `i`.
void expect_axis(const InferArgs& args, int i, Dim axis);

/// Whether the elements can be looked at now: in memory of the CPU, not a value of a trace.
inline bool can_read(const Tensor& x) { return x.has_storage() && x.device() == Device::cpu(); }

/// The shape of input 0 without the axis of AxisAttrs; throws ShapeError if it has no such axis.
Shape shape_without_axis(const InferArgs& args);

/// Axes 0..rank-1.
Axes all_axes(const Tensor& x);
/// Axes normalized to 0..rank-1 and ascending; throws ShapeError if one is named twice.
Axes sorted_axes(const char* op, const Shape& shape, const Axes& axes);
/// Applies an operation that removes the axis of its AxisAttrs to each of `axes`.
Tensor reduce_axis_by_axis(Op op, const Tensor& x, const Axes& axes, bool keep_dims);

/// x reduced over `axes`: the shape with those sizes removed, or 1 if they are kept.
Shape reduced_shape(const Shape& shape, const ReduceAttrs& attrs);

}  // namespace milgrad
