// Checks and shape rules that many definitions share.
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {

void InferArgs::refuse_missing(int i) const {
  throw ShapeError(fmt::format("[{}] got {} inputs; expected at least {}", op, count(), i + 1));
}

void expect_inputs(const InferArgs& args, int count) {
  if (args.count() == count) return;
  throw ShapeError(fmt::format("[{}] got {} inputs; expected {}", args.op, args.count(), count));
}

void expect_dtype(const InferArgs& args, int i, DTypes dtypes) {
  if (dtypes.contains(args.dtype(i))) return;
  throw DTypeError(
      fmt::format("[{}] input {} is {} {}; expected {}", args.op, i, name_of(args.dtype(i)),
                  args.shape(i).to_string(), to_string(dtypes)),
      "use cast()");
}

void expect_same_dtype(const InferArgs& args, DTypes dtypes) {
  expect_dtype(args, 0, dtypes);
  for (int i = 1; i < args.count(); ++i) {
    if (args.dtype(i) == args.dtype(0)) continue;
    throw DTypeError(fmt::format("[{}] input {} is {} {} but input 0 is {} {}", args.op, i,
                                 name_of(args.dtype(i)), args.shape(i).to_string(),
                                 name_of(args.dtype(0)), args.shape(0).to_string()),
                     "dtypes are never promoted; use cast()");
  }
}

void expect_axis(const InferArgs& args, int i, Dim axis) {
  const Shape& shape = args.shape(i);
  if (axis >= 0 && axis < shape.rank()) return;
  throw ShapeError(
      fmt::format("[{}] axis {} is out of range for shape {}", args.op, axis, shape.to_string()));
}

Shape shape_without_axis(const InferArgs& args) {
  const int axis = args.get<AxisAttrs>().axis;
  expect_axis(args, 0, axis);
  Shape shape = args.shape(0);
  shape.erase(axis);
  return shape;
}

Axes all_axes(const Tensor& x) {
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

Axes sorted_axes(const char* op, const Shape& shape, const Axes& axes) {
  Axes sorted;
  for (Dim given : axes) {
    const int axis = normalize_axis(op, static_cast<int>(given), shape);
    int at = 0;
    while (at < sorted.rank() && sorted[at] < axis) ++at;
    if (at < sorted.rank() && sorted[at] == axis)
      throw ShapeError(
          fmt::format("[{}] axis {} of shape {} is named twice; expected distinct axes", op, axis,
                      shape.to_string()));
    sorted.insert(at, axis);
  }
  return sorted;
}

Tensor reduce_axis_by_axis(Op op, const Tensor& x, const Axes& axes, bool keep_dims) {
  const Axes sorted = sorted_axes(name_of(op), x.shape(), axes);
  Tensor y = x;
  for (int i = sorted.rank() - 1; i >= 0; --i)
    y = apply_one(op, AxisAttrs{static_cast<int>(sorted[i])}, {y});
  return keep_dims && sorted.rank() > 0 ? expand_dims(y, sorted) : y;
}

Shape reduced_shape(const Shape& shape, const ReduceAttrs& attrs) {
  Shape result;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool gone = std::find(attrs.axes.begin(), attrs.axes.end(), axis) != attrs.axes.end();
    if (!gone)
      result.push_back(shape[axis]);
    else if (attrs.keep_dims)
      result.push_back(1);
  }
  return result;
}

}  // namespace milgrad
