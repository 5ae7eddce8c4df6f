// Definitions of the operations that change the shape or the order of elements.
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {
namespace {

std::size_t alias_from_start(const Spec&, const Attrs&) { return 0; }

std::vector<Spec> infer_copy(const InferArgs& args) {
  expect_inputs(args, 1);
  return {args.inputs[0]};
}

/// The product of all sizes but those equal to -1.
Dim known_product(const Shape& shape) {
  Dim product = 1;
  for (Dim dim : shape)
    if (dim != -1) product = multiply_dims(product, dim);
  return product;
}

[[noreturn]] void refuse_reshape(const InferArgs& args, const Shape& to) {
  throw ShapeError(fmt::format("[{}] shape {} cannot become {}", args.op, args.shape(0).to_string(),
                               to.to_string()),
                   "the number of elements must stay; one size may be -1");
}

std::vector<Spec> infer_reshape(const InferArgs& args) {
  expect_inputs(args, 1);
  const Shape& given = args.get<ShapeAttrs>().shape;
  const Dim total = args.shape(0).product(0, args.shape(0).rank());
  const auto unknowns = std::count(given.begin(), given.end(), Dim{-1});
  const bool invalid = std::any_of(given.begin(), given.end(),
                                   [](Dim dim) { return dim < -1 && symbol_of(dim) < 1; });
  if (unknowns > 1 || invalid) refuse_reshape(args, given);
  const Dim known = known_product(given);
  Shape shape = given;
  if (unknowns == 1) {
    const bool divides = is_symbolic(total) ? known > 0 && symbol_multiple(total) % known == 0
                                            : known > 0 && total % known == 0;
    if (!divides) refuse_reshape(args, given);
    *std::find(&shape[0], &shape[0] + shape.rank(), Dim{-1}) = divide_dims(total, known);
  } else if (total != known) {
    refuse_reshape(args, given);
  }
  return {{shape, args.dtype(0)}};
}

std::vector<Spec> infer_reshape_like(const InferArgs& args) {
  expect_inputs(args, 2);
  const Shape &from = args.shape(0), &to = args.shape(1);
  if (from.product(0, from.rank()) != to.product(0, to.rank())) refuse_reshape(args, to);
  return {{to, args.dtype(0)}};
}

std::vector<Spec> infer_flatten(const InferArgs& args) {
  expect_inputs(args, 1);
  const Axes& range = args.get<AxesAttrs>().axes;
  const Shape& from = args.shape(0);
  if (range.rank() != 2 || range[0] < 0 || range[0] > range[1] || range[1] >= from.rank())
    throw ShapeError(fmt::format("[{}] no axes {} to merge in shape {}", args.op, range.to_string(),
                                 from.to_string()),
                     "give the first and the last axis");
  const auto first = static_cast<int>(range[0]), last = static_cast<int>(range[1]);
  Shape shape;
  for (int axis = 0; axis < first; ++axis) shape.push_back(from[axis]);
  shape.push_back(from.product(first, last + 1));
  for (int axis = last + 1; axis < from.rank(); ++axis) shape.push_back(from[axis]);
  return {{shape, args.dtype(0)}};
}

std::vector<Spec> infer_transpose(const InferArgs& args) {
  expect_inputs(args, 1);
  const Axes& axes = args.get<AxesAttrs>().axes;
  const Shape& from = args.shape(0);
  Shape shape;
  unsigned seen = 0;
  for (Dim axis : axes)
    if (axis >= 0 && axis < from.rank()) {
      seen |= 1u << axis;
      shape.push_back(from[static_cast<int>(axis)]);
    }
  if (axes.rank() != from.rank() || seen != (1u << from.rank()) - 1)
    throw ShapeError(fmt::format("[{}] {} is no permutation of the axes of shape {}", args.op,
                                 axes.to_string(), from.to_string()),
                     "name each axis once");
  return {{shape, args.dtype(0)}};
}

Axes inverse_permutation(const Axes& axes) {
  Axes inverse = axes;
  for (int to = 0; to < axes.rank(); ++to) inverse[static_cast<int>(axes[to])] = to;
  return inverse;
}

void expect_no_repeats(const InferArgs& args, const Axes& ascending) {
  for (int i = 1; i < ascending.rank(); ++i)
    if (ascending[i] == ascending[i - 1])
      throw ShapeError(fmt::format("[{}] axis {} of shape {} is named twice", args.op, ascending[i],
                                   args.shape(0).to_string()),
                       "name each axis once");
}

std::vector<Spec> infer_expand_dims(const InferArgs& args) {
  expect_inputs(args, 1);
  Shape shape = args.shape(0);
  expect_no_repeats(args, args.get<AxesAttrs>().axes);
  for (Dim axis : args.get<AxesAttrs>().axes) {
    if (axis < 0 || axis > shape.rank())
      throw ShapeError(fmt::format("[{}] axis {} is out of range for shape {}", args.op, axis,
                                   shape.to_string()),
                       "axes count in the result");
    shape.insert(static_cast<int>(axis), 1);
  }
  return {{shape, args.dtype(0)}};
}

std::vector<Spec> infer_squeeze(const InferArgs& args) {
  expect_inputs(args, 1);
  const Axes& axes = args.get<AxesAttrs>().axes;
  expect_no_repeats(args, axes);
  Shape shape = args.shape(0);
  for (int i = axes.rank() - 1; i >= 0; --i) {
    const auto axis = static_cast<int>(axes[i]);
    if (axis < 0 || axis >= shape.rank() || shape[axis] != 1)
      throw ShapeError(fmt::format("[{}] axis {} of shape {} does not have size 1", args.op, axis,
                                   args.shape(0).to_string()),
                       "only axes of size 1 can be removed");
    shape.erase(axis);
  }
  return {{shape, args.dtype(0)}};
}

/// Throws unless `from` broadcasts to exactly `to`.
void expect_broadcast(const InferArgs& args, const Shape& from, const Shape& to) {
  if (!(broadcast_shapes(args.op, from, to) == to))
    throw ShapeError(fmt::format("[{}] shape {} does not broadcast to {}", args.op,
                                 from.to_string(), to.to_string()),
                     "sizes must be equal or 1, counted from the last axis");
}

std::vector<Spec> infer_broadcast_to(const InferArgs& args) {
  expect_inputs(args, 1);
  const Shape& to = args.get<ShapeAttrs>().shape;
  expect_broadcast(args, args.shape(0), to);
  return {{to, args.dtype(0)}};
}

std::vector<Spec> infer_broadcast_like(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_broadcast(args, args.shape(0), args.shape(1));
  return {{args.shape(1), args.dtype(0)}};
}

std::vector<Spec> infer_flip(const InferArgs& args) {
  expect_inputs(args, 1);
  const Axes& axes = args.get<AxesAttrs>().axes;
  for (Dim axis : axes) normalize_axis(args.op, static_cast<int>(axis), args.shape(0));
  expect_no_repeats(args, axes);
  return {args.inputs[0]};
}

/// Axes in -rank..rank-1 as 0..rank-1, in the given order.
Axes normalized(const char* op, Axes axes, const Shape& shape) {
  for (int i = 0; i < axes.rank(); ++i)
    axes[i] = normalize_axis(op, static_cast<int>(axes[i]), shape);
  return axes;
}

Axes sorted(const Axes& axes) {
  Axes result;
  for (Dim axis : axes) {
    int at = result.rank();
    while (at > 0 && result[at - 1] > axis) --at;
    result.insert(at, axis);
  }
  return result;
}

}  // namespace

constinit const OpDef op_copy{
    .name = "copy",
    .doc = "the same elements in memory of their own",
    .dtypes = kAnyDType,
    .infer = infer_copy,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g()}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}}, NoAttrs{}}, {{{{1}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2}, DType::float32}, {Shape{2}, DType::float32}},
                                         NoAttrs{},
                                         "got 2 inputs; expected 1"}};
        },
    .cost = streaming_cost<0>,
};
Tensor copy(const Tensor& x) { return apply_one(Op::copy, NoAttrs{}, {x}); }

constinit const OpDef op_reshape{
    .name = "reshape",
    .doc = "the same elements in another shape",
    .dtypes = kAnyDType,
    .infer = infer_reshape,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{reshape_like(v.g(), v.in(0))}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 6}}}, ShapeAttrs{{3, -1}}},
                                     {{{{1, 4}}}, ShapeAttrs{{2, 1, 2}}},
                                     {{{{1}}}, ShapeAttrs{Shape{}}}};
        },
    .bad_samples =
        [] {
          const std::vector<Spec> x{{Shape{2, 3}, DType::float32}};
          return std::vector<BadSample>{
              {x, ShapeAttrs{{4, 2}}, "shape (2, 3) cannot become (4, 2)"},
              {x, ShapeAttrs{{-1, 4}}, "shape (2, 3) cannot become (-1, 4)"},
              {x, ShapeAttrs{{-1, -1}}, "shape (2, 3) cannot become (-1, -1)"},
              {{{Shape{0, 3}, DType::float32}},
               ShapeAttrs{{-1, 0}},
               "shape (0, 3) cannot become (-1, 0)"}};
        },
    .cost = streaming_cost<0>,
    .alias = alias_from_start,
};
Tensor reshape(const Tensor& x, const Shape& shape) {
  return apply_one(Op::reshape, ShapeAttrs{shape}, {x});
}

constinit const OpDef op_reshape_like{
    .name = "reshape_like",
    .doc = "the same elements in the shape of another tensor",
    .dtypes = kAnyDType,
    .infer = infer_reshape_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{reshape_like(v.g(), v.in(0)), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 6}}, {{3, 4}}}, NoAttrs{}},
                                     {{{{1, 4}}, {{4}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{4}, DType::float32}},
               NoAttrs{},
               "shape (2, 3) cannot become (4,)"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = input_bit(1),
    .alias = alias_from_start,
};
Tensor reshape_like(const Tensor& x, const Tensor& like) {
  return x.shape() == like.shape() ? x : apply_one(Op::reshape_like, NoAttrs{}, {x, like});
}

constinit const OpDef op_flatten{
    .name = "flatten",
    .doc = "merges neighbouring axes into one",
    .dtypes = kAnyDType,
    .infer = infer_flatten,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{reshape_like(v.g(), v.in(0))}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3, 4}}}, AxesAttrs{{1, 2}}},
                                     {{{{2, 1, 3}}}, AxesAttrs{{0, 1}}},
                                     {{{{3}}}, AxesAttrs{{0, 0}}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         AxesAttrs{{1, 2}},
                                         "no axes (1, 2) to merge in shape (2, 3)"}};
        },
    .cost = streaming_cost<0>,
    .alias = alias_from_start,
};
Tensor flatten(const Tensor& x, int first_axis, int last_axis) {
  // A missing axis at the end has size 1: flattening (N,) from axis 1 gives (N, 1), as in Keras.
  if (first_axis == x.rank() && last_axis == -1) return expand_dims(x, {first_axis});
  const Axes range = normalized("flatten", {first_axis, last_axis}, x.shape());
  return range[0] == range[1] ? x : apply_one(Op::flatten, AxesAttrs{range}, {x});
}

constinit const OpDef op_transpose{
    .name = "transpose",
    .doc = "axes in another order",
    .dtypes = kAnyDType,
    .infer = infer_transpose,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{transpose(v.g(), inverse_permutation(v.get<AxesAttrs>().axes))};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}}, AxesAttrs{{1, 0}}},
                                     {{{{2, 3, 4}}}, AxesAttrs{{2, 0, 1}}},
                                     {{{{1, 3, 2}}}, AxesAttrs{{0, 2, 1}}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         AxesAttrs{{0, 0}},
                                         "(0, 0) is no permutation of the axes of shape (2, 3)"},
                                        {{{Shape{2, 3}, DType::float32}},
                                         AxesAttrs{{0, 1, 2}},
                                         "no permutation of the axes of shape (2, 3)"}};
        },
    .cost = streaming_cost<0>,
};
Tensor transpose(const Tensor& x, const Axes& axes) {
  return apply_one(Op::transpose, AxesAttrs{normalized("transpose", axes, x.shape())}, {x});
}
Tensor transpose(const Tensor& x) {
  Axes axes;
  for (int axis = x.rank() - 1; axis >= 0; --axis) axes.push_back(axis);
  return transpose(x, axes);
}

constinit const OpDef op_expand_dims{
    .name = "expand_dims",
    .doc = "inserts axes of size 1",
    .dtypes = kAnyDType,
    .infer = infer_expand_dims,
    .vjp = differentiable(
        [](const VjpArgs& v) { return Tensors{squeeze(v.g(), v.get<AxesAttrs>().axes)}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}}, AxesAttrs{{0, 2}}}, {{{{1, 3}}}, AxesAttrs{{2}}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2}, DType::float32}},
                                         AxesAttrs{{3}},
                                         "axis 3 is out of range for shape (2,)"}};
        },
    .cost = streaming_cost<0>,
    .alias = alias_from_start,
};
Tensor expand_dims(const Tensor& x, Axes axes) {
  for (int i = 0; i < axes.rank(); ++i)
    if (axes[i] < 0) axes[i] += x.rank() + axes.rank();
  return apply_one(Op::expand_dims, AxesAttrs{sorted(axes)}, {x});
}

constinit const OpDef op_squeeze{
    .name = "squeeze",
    .doc = "removes axes of size 1",
    .dtypes = kAnyDType,
    .infer = infer_squeeze,
    .vjp = differentiable(
        [](const VjpArgs& v) { return Tensors{expand_dims(v.g(), v.get<AxesAttrs>().axes)}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 1, 3}}}, AxesAttrs{{1}}},
                                     {{{{1, 3, 1}}}, AxesAttrs{{0, 2}}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         AxesAttrs{{1}},
                                         "axis 1 of shape (2, 3) does not have size 1"}};
        },
    .cost = streaming_cost<0>,
    .alias = alias_from_start,
};
Tensor squeeze(const Tensor& x, const Axes& axes) {
  return apply_one(Op::squeeze, AxesAttrs{sorted(normalized("squeeze", axes, x.shape()))}, {x});
}
Tensor squeeze(const Tensor& x) {
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.shape()[axis] == 1) axes.push_back(axis);
  return axes.rank() == 0 ? x : squeeze(x, axes);
}

constinit const OpDef op_broadcast_to{
    .name = "broadcast_to",
    .doc = "repeats x along axes of size 1 to a given shape",
    .dtypes = kAnyDType,
    .infer = infer_broadcast_to,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{sum_to_like(v.g(), v.in(0))}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{3, 1}}}, ShapeAttrs{{2, 3, 4}}},
                                     {{{{1, 2}}}, ShapeAttrs{{3, 2}}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{3}, DType::float32}},
                                         ShapeAttrs{{2, 4}},
                                         "shapes (3,) and (2, 4) do not broadcast"},
                                        {{{Shape{2, 3}, DType::float32}},
                                         ShapeAttrs{{3}},
                                         "shape (2, 3) does not broadcast to (3,)"}};
        },
    .cost = streaming_cost<0>,
};
Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : apply_one(Op::broadcast_to, ShapeAttrs{shape}, {x});
}

constinit const OpDef op_broadcast_like{
    .name = "broadcast_like",
    .doc = "repeats x along axes of size 1 to the shape of another tensor",
    .dtypes = kAnyDType,
    .infer = infer_broadcast_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{sum_to_like(v.g(), v.in(0)), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{3, 1}}, {{2, 3, 4}}}, NoAttrs{}},
                                     {{{{}}, {{2, 1}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{3}, DType::float32}, {Shape{2, 4}, DType::float32}},
               NoAttrs{},
               "shapes (3,) and (2, 4) do not broadcast"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = input_bit(1),
};
Tensor broadcast_like(const Tensor& x, const Tensor& like) {
  return x.shape() == like.shape() ? x : apply_one(Op::broadcast_like, NoAttrs{}, {x, like});
}

constinit const OpDef op_flip{
    .name = "flip",
    .doc = "reverses the order along axes",
    .dtypes = kAnyDType,
    .infer = infer_flip,
    .vjp = differentiable(
        [](const VjpArgs& v) { return Tensors{flip(v.g(), v.get<AxesAttrs>().axes)}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}}, AxesAttrs{{1}}},
                                     {{{{2, 1, 3}}}, AxesAttrs{{0, 1, 2}}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         AxesAttrs{{2}},
                                         "axis 2 is out of range for shape (2, 3)"}};
        },
    .cost = streaming_cost<0>,
};
Tensor flip(const Tensor& x, const Axes& axes) {
  return apply_one(Op::flip, AxesAttrs{sorted(normalized("flip", axes, x.shape()))}, {x});
}

}  // namespace milgrad
