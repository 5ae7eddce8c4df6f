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

/// Throws unless input `i`, called `what`, has the shape and dtype of input `variable`.
void expect_like_variable(const InferArgs& args, int i, const char* what, int variable = 0);
/// Throws unless input `i`, called `what`, has one of `dtypes` and shape ().
void expect_scalar(const InferArgs& args, int i, const char* what, DTypes dtypes);
/// Throws ValueError unless the momentum lies in 0..1.
void expect_momentum(const InferArgs& args, const SgdAttrs& attrs);
/// Throws unless x [.., k], a weight [k, n] and a bias [n] (if `bias` >= 0) fit together.
void expect_dense(const InferArgs& args, int x, int weight, int bias);

/// Throws ShapeError unless 0 <= axis < rank of input `i`.
void expect_axis(const InferArgs& args, int i, Dim axis);

/// New values of a variable and its slots, by other operations. SGD: in = variable, gradient,
/// learning rate and, with momentum, velocity. Adam: variable, moments, gradient, step size.
Tensors sgd_reference(std::span<const Tensor> in, const Attrs& attrs);
Tensors adam_reference(std::span<const Tensor> in, const Attrs& attrs);

/// x as a matrix: all axes but the last merged.
Tensor as_rows(const Tensor& x);

/// Why an operation that only passes make has no gradient.
inline constexpr const char* kOnlyInPrograms =
    "programs are not differentiated; compile the function that calls grad()";

/// Whether the elements can be looked at now: in memory of the CPU, not a value of a trace.
inline bool can_read(const Tensor& x) { return x.has_storage() && x.device() == Device::cpu(); }

/// Throws DTypeError or ShapeError unless input `i` is int64 [bags + 1].
void expect_offsets(const InferArgs& args, int i);
/// Throws ValueError unless `offsets` cut the instances x into bags. Bad ones would silently mix
/// bags, so they are looked at wherever their values are known.
void check_offsets(const char* op, const Tensor& offsets, const Tensor& x);

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
