// Definitions of the reductions.
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {
namespace {

std::vector<Spec> infer_sum(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kNumeric);
  return {{reduced_shape(args.shape(0), args.get<ReduceAttrs>()), args.dtype(0)}};
}

std::vector<Spec> infer_sum_to_like(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_dtype(args, 0, kNumeric);
  if (!(broadcast_shapes(args.op, args.shape(0), args.shape(1)) == args.shape(0)))
    throw ShapeError(fmt::format("[{}] shape {} is no broadcast of {}", args.op,
                                 args.shape(0).to_string(), args.shape(1).to_string()));
  return {{args.shape(1), args.dtype(0)}};
}

/// The gradient of a reduction with its removed axes put back at size 1.
Tensor restore_axes(const Tensor& g, const ReduceAttrs& attrs) {
  return attrs.keep_dims || attrs.axes.rank() == 0 ? g : expand_dims(g, attrs.axes);
}

ReduceAttrs reduce_attrs(const char* op, const Shape& shape, const Axes& axes, bool keep_dims) {
  ReduceAttrs attrs{.axes = {}, .keep_dims = keep_dims};
  for (Dim given : axes) {
    const int axis = normalize_axis(op, static_cast<int>(given), shape);
    int at = 0;
    while (at < attrs.axes.rank() && attrs.axes[at] < axis) ++at;
    if (at < attrs.axes.rank() && attrs.axes[at] == axis)
      throw ShapeError(fmt::format("[{}] axis {} is named twice", op, axis));
    attrs.axes.insert(at, axis);
  }
  return attrs;
}

Axes all_axes(const Tensor& x) {
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

constinit const OpDef op_sum{
    .name = "sum",
    .doc = "sum over axes",
    .dtypes = kNumeric,
    .infer = infer_sum,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{broadcast_like(restore_axes(v.g(), v.get<ReduceAttrs>()), v.in(0))};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3, 4}}}, ReduceAttrs{{1}, false}},
                                     {{{{2, 3, 4}}}, ReduceAttrs{{0, 2}, true}},
                                     {{{{1, 5}}}, ReduceAttrs{{0, 1}, false}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2}, DType::boolean}}, ReduceAttrs{{0}, false}, "input 0 is bool (2,)"}};
        },
    .cost = streaming_cost<1>,
};
Tensor sum(const Tensor& x, Axes axes, bool keep_dims) {
  return apply_one(Op::sum, reduce_attrs("sum", x.shape(), axes, keep_dims), {x});
}
Tensor sum(const Tensor& x) { return sum(x, all_axes(x)); }

constinit const OpDef op_sum_to_like{
    .name = "sum_to_like",
    .doc = "sum over the axes along which `like` was broadcast",
    .dtypes = kNumeric,
    .infer = infer_sum_to_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{broadcast_like(v.g(), v.in(0)), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3, 4}}, {{3, 1}}}, NoAttrs{}},
                                     {{{{2, 3}}, {{}}}, NoAttrs{}},
                                     {{{{1, 3}}, {{1, 3}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{4, 3}, DType::float32}},
               NoAttrs{},
               "shapes (2, 3) and (4, 3) do not broadcast"}};
        },
    .cost = streaming_cost<1>,
    .shape_only = input_bit(1),
};
Tensor sum_to_like(const Tensor& x, const Tensor& like) {
  return x.shape() == like.shape() ? x : apply_one(Op::sum_to_like, NoAttrs{}, {x, like});
}

}  // namespace milgrad
