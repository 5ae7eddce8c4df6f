// Definitions of the operations that select elements by index tensors.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

/// x's shape with the axis replaced by the shape of the indices.
Shape gathered_shape(const Shape& x, const Shape& indices, int axis) {
  Shape shape;
  for (int i = 0; i < axis; ++i) shape.push_back(x[i]);
  for (Dim dim : indices) shape.push_back(dim);
  for (int i = axis + 1; i < x.rank(); ++i) shape.push_back(x[i]);
  return shape;
}

std::vector<Spec> infer_gather(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_dtype(args, 1, kIndex);
  const int axis = normalize_axis(args.op, args.get<AxisAttrs>().axis, args.shape(0));
  return {{gathered_shape(args.shape(0), args.shape(1), axis), args.dtype(0)}};
}

std::vector<Spec> infer_scatter_add_like(const InferArgs& args) {
  expect_inputs(args, 3);
  expect_dtype(args, 0, kNumeric);
  expect_dtype(args, 1, kIndex);
  const int axis = normalize_axis(args.op, args.get<AxisAttrs>().axis, args.shape(2));
  const Shape expected = gathered_shape(args.shape(2), args.shape(1), axis);
  if (!(args.shape(0) == expected))
    throw ShapeError(
        fmt::format("[{}] updates of shape {} for indices {} on axis {} of shape {}; expected {}",
                    args.op, args.shape(0).to_string(), args.shape(1).to_string(), axis,
                    args.shape(2).to_string(), expected.to_string()),
        "the indices' axes stand in place of the axis");
  return {{args.shape(2), args.dtype(0)}};
}

std::vector<Spec> infer_one_hot(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kIndex);
  const auto& attrs = args.get<OneHotAttrs>();
  if (attrs.classes < 1)
    throw ShapeError(fmt::format("[{}] {} classes for indices of shape {}", args.op, attrs.classes,
                                 args.shape(0).to_string()),
                     "at least 1 class is needed");
  Shape shape = args.shape(0);
  shape.push_back(attrs.classes);
  return {{shape, attrs.dtype}};
}

SampleInput indices(const Shape& shape, Dim limit) {
  return {.shape = shape, .domain = Domain::integers, .limit = limit, .differentiable = false};
}

}  // namespace

constinit const OpDef op_gather{
    .name = "gather",
    .doc = "the positions on one axis that indices name",
    .dtypes = kAnyDType,
    .infer = infer_gather,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{scatter_add_like(v.g(), v.in(1), v.in(0), v.get<AxisAttrs>().axis), Tensor()};
    }),
    .saves = saves_input(1),
    .samples =
        [] {
          return std::vector<Sample>{{{{{4, 3}}, indices({2}, 4)}, AxisAttrs{0}},
                                     {{{{2, 3, 2}}, indices({2, 2}, 3)}, AxisAttrs{1}},
                                     {{{{2, 1}}, indices({1}, 1)}, AxisAttrs{1}},
                                     {{{{5}}, indices({}, 5)}, AxisAttrs{0}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{4, 3}, DType::float32}, {Shape{2}, DType::float32}},
               AxisAttrs{0},
               "input 1 is float32 (2,); expected int32, int64"},
              {{{Shape{4, 3}, DType::float32}, {Shape{2}, DType::int64}},
               AxisAttrs{2},
               "axis 2 is out of range for shape (4, 3)"}};
        },
    .cost = streaming_cost<0>,
};
Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
  return apply_one(Op::gather, AxisAttrs{normalize_axis("gather", axis, x.shape())}, {x, indices});
}

constinit const OpDef op_scatter_add_like{
    .name = "scatter_add_like",
    .doc = "zeros in another tensor's shape, with updates added at indexed positions of one axis",
    .dtypes = kNumeric,
    .infer = infer_scatter_add_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{gather(v.g(), v.in(1), v.get<AxisAttrs>().axis), Tensor(), Tensor()};
    }),
    .saves = saves_input(1),
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{5, 3}}, indices({5}, 4), {{4, 3}}}, AxisAttrs{0}},
              {{{{2, 2, 2, 2}}, indices({2, 2}, 3), {{2, 3, 2}}}, AxisAttrs{1}},
              {{{{2, 1}}, indices({1}, 3), {{2, 3}}}, AxisAttrs{1}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32},
                                          {Shape{3}, DType::int64},
                                          {Shape{4, 3}, DType::float32}},
                                         AxisAttrs{0},
                                         "updates of shape (2, 3) for indices (3,) on axis 0 of "
                                         "shape (4, 3); expected (3, 3)"}};
        },
    .cost = streaming_cost<1>,
    .shape_only = input_bit(2),
};
Tensor scatter_add_like(const Tensor& updates, const Tensor& indices, const Tensor& like,
                        int axis) {
  axis = normalize_axis("scatter_add_like", axis, like.shape());
  return apply_one(Op::scatter_add_like, AxisAttrs{axis}, {updates, indices, like});
}
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& updates, int axis) {
  return add(x, scatter_add_like(updates, indices, x, axis));
}

constinit const OpDef op_one_hot{
    .name = "one_hot",
    .doc = "1 at the indexed class, 0 elsewhere",
    .dtypes = kIndex,
    .infer = infer_one_hot,
    .vjp = not_differentiable("an index has no gradient"),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{indices({2, 3}, 4)}, OneHotAttrs{4, DType::float64}},
                                     {{indices({1}, 3)}, OneHotAttrs{2, DType::float32}},
                                     {{indices({}, 2)}, OneHotAttrs{2, DType::boolean}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2}, DType::int64}},
                                         OneHotAttrs{0, DType::float32},
                                         "0 classes for indices of shape (2,)"},
                                        {{{Shape{2}, DType::float32}},
                                         OneHotAttrs{3, DType::float32},
                                         "input 0 is float32 (2,)"}};
        },
    .cost = streaming_cost<0>,
};
Tensor one_hot(const Tensor& indices, Dim classes, DType dtype) {
  return apply_one(Op::one_hot, OneHotAttrs{classes, dtype}, {indices});
}

}  // namespace milgrad
