// Checks and shape rules that many definitions share.
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {

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
