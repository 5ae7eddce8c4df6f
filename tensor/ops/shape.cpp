// Definitions of the operations that rearrange, view or combine elements.
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {
namespace {

std::size_t alias_from_start(const Spec&, const Attrs&) { return 0; }

std::vector<Spec> infer_expand_dims(const InferArgs& args) {
  expect_inputs(args, 1);
  Shape shape = args.shape(0);
  for (Dim axis : args.get<AxesAttrs>().axes) {
    if (axis < 0 || axis > shape.rank())
      throw ShapeError(fmt::format("[{}] axis {} is out of range for shape {}", args.op, axis,
                                   shape.to_string()));
    shape.insert(static_cast<int>(axis), 1);
  }
  return {{shape, args.dtype(0)}};
}

std::vector<Spec> infer_broadcast_like(const InferArgs& args) {
  expect_inputs(args, 2);
  if (!(broadcast_shapes(args.op, args.shape(0), args.shape(1)) == args.shape(1)))
    throw ShapeError(fmt::format("[{}] shape {} does not broadcast to {}", args.op,
                                 args.shape(0).to_string(), args.shape(1).to_string()));
  return {{args.shape(1), args.dtype(0)}};
}

}  // namespace

constinit const OpDef op_copy{
    .name = "copy",
    .doc = "the same elements in memory of their own",
    .dtypes = kAnyDType,
    .infer =
        [](const InferArgs& args) {
          expect_inputs(args, 1);
          return std::vector<Spec>{args.inputs[0]};
        },
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

constinit const OpDef op_expand_dims{
    .name = "expand_dims",
    .doc = "inserts axes of size 1",
    .dtypes = kAnyDType,
    .infer = infer_expand_dims,
    .vjp = differentiable(
        [](const VjpArgs& v) { return Tensors{sum(v.g(), v.get<AxesAttrs>().axes)}; }),
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
  for (Dim& axis : std::span(&axes[0], static_cast<std::size_t>(axes.rank())))
    if (axis < 0) axis += x.rank() + axes.rank();
  return apply_one(Op::expand_dims, AxesAttrs{axes}, {x});
}

constinit const OpDef op_broadcast_like{
    .name = "broadcast_like",
    .doc = "repeats x along axes of size 1 to the shape of `like`",
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

}  // namespace milgrad
