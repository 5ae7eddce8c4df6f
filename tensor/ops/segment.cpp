// Definitions of the operations on ragged batches: instances [total, ...] of several bags stand one
// after the other, and `offsets` [bags + 1] says where each bag begins and the last one ends.
#include "tensor/ops/definitions.h"

namespace milgrad {

void expect_offsets(const InferArgs& args, int i) {
  if (args.dtype(i) != DType::int64)
    throw DTypeError(fmt::format("[{}] offsets are {} {}; expected int64", args.op,
                                 name_of(args.dtype(i)), args.shape(i).to_string()),
                     "use cast()");
  const Shape& shape = args.shape(i);
  if (shape.rank() == 1 && shape[0] >= 1) return;
  throw ShapeError(
      fmt::format("[{}] offsets have shape {}; expected (bags + 1,)", args.op, shape.to_string()),
      "offsets start with 0 and end with the number of instances");
}

void check_offsets(const char* op, const Tensor& offsets, const Tensor& x) {
  if (!offsets.defined() || offsets.dtype() != DType::int64 || !can_read(offsets)) return;
  const auto values = offsets.data<std::int64_t>();
  if (values.empty() || x.rank() == 0 || is_symbolic(x.shape()[0])) return;
  const char* hint = "offsets start with 0, never fall and end with the number of instances";
  if (values.front() != 0 || values.back() != x.shape()[0])
    throw ValueError(
        fmt::format("[{}] offsets go from {} to {}; expected 0 to {} for instances of shape {}", op,
                    values.front(), values.back(), x.shape()[0], x.shape().to_string()),
        hint);
  for (std::size_t i = 1; i < values.size(); ++i)
    if (values[i] < values[i - 1])
      throw ValueError(fmt::format("[{}] offsets fall from {} to {} at position {}", op,
                                   values[i - 1], values[i], i),
                       hint);
}

namespace {

using Domain = SampleInput::Domain;

void expect_instances(const InferArgs& args, int i) {
  if (args.shape(i).rank() > 0) return;
  throw ShapeError(fmt::format("[{}] input {} has shape (); expected (total, ...)", args.op, i));
}

/// x [total, ...], offsets [bags + 1] -> [bags, ...]
std::vector<Spec> infer_per_bag(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_dtype(args, 0, kFloating);
  expect_instances(args, 0);
  expect_offsets(args, 1);
  Shape shape = args.shape(0);
  shape[0] = args.shape(1)[0] - 1;
  return {{shape, args.dtype(0)}};
}

std::vector<Spec> infer_per_instance(const InferArgs& args) {
  infer_per_bag(args);
  return {args.inputs[0]};
}

std::vector<Spec> infer_broadcast(const InferArgs& args) {
  expect_inputs(args, 3);
  expect_dtype(args, 0, kFloating);
  expect_instances(args, 0);
  expect_offsets(args, 1);
  expect_instances(args, 2);
  Shape shape = args.shape(0);
  if (shape[0] != args.shape(1)[0] - 1)
    throw ShapeError(fmt::format("[{}] input 0 has shape {} but offsets {} stand for {} bags",
                                 args.op, shape.to_string(), args.shape(1).to_string(),
                                 args.shape(1)[0] - 1));
  shape[0] = args.shape(2)[0];
  return {{shape, args.dtype(0)}};
}

std::vector<Sample> segment_samples(Domain domain) {
  return {{{{{5, 3}, domain}, {{3}, Domain::offsets, 5}}, NoAttrs{}},
          {{{{4}, domain}, {{4}, Domain::offsets, 4}}, NoAttrs{}},
          {{{{1, 2}, domain}, {{2}, Domain::offsets, 1}}, NoAttrs{}}};
}
std::vector<Sample> normal_segment_samples() { return segment_samples(Domain::normal); }
std::vector<Sample> distinct_segment_samples() { return segment_samples(Domain::distinct); }

std::vector<BadSample> segment_bad_samples() {
  return {{{{Shape{5, 3}, DType::float32}, {Shape{3}, DType::int32}},
           NoAttrs{},
           "offsets are int32 (3,); expected int64"},
          {{{Shape{5, 3}, DType::float32}, {Shape{3, 1}, DType::int64}},
           NoAttrs{},
           "offsets have shape (3, 1); expected (bags + 1,)"},
          {{{Shape{}, DType::float32}, {Shape{1}, DType::int64}},
           NoAttrs{},
           "input 0 has shape (); expected (total, ...)"}};
}

Tensor segment_op(Op op, const Tensor& x, const Tensor& offsets) {
  check_offsets(name_of(op), offsets, x);
  return apply_one(op, NoAttrs{}, {x, offsets});
}

}  // namespace

constinit const OpDef op_segment_sum{
    .name = "segment_sum",
    .doc = "sum over the instances of each bag",
    .dtypes = kFloating,
    .infer = infer_per_bag,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{segment_broadcast(v.g(), v.in(1), v.in(0)), Tensor()};
    }),
    .saves = saves_input(1),
    .samples = normal_segment_samples,
    .bad_samples = segment_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor segment_sum(const Tensor& x, const Tensor& offsets) {
  return segment_op(Op::segment_sum, x, offsets);
}

constinit const OpDef op_segment_broadcast{
    .name = "segment_broadcast",
    .doc = "repeats the row of each bag for all its instances",
    .dtypes = kFloating,
    .infer = infer_broadcast,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{segment_sum(v.g(), v.in(1)), Tensor(), Tensor()};
    }),
    .saves = saves_input(1),
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{3}, Domain::offsets, 5}, {{5, 3}}}, NoAttrs{}},
                                     {{{{3, 1}}, {{4}, Domain::offsets, 4}, {{4}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32},
                                          {Shape{4}, DType::int64},
                                          {Shape{5, 3}, DType::float32}},
                                         NoAttrs{},
                                         "input 0 has shape (2, 3) but offsets (4,) stand for 3"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = input_bit(2),
};
Tensor segment_broadcast(const Tensor& y, const Tensor& offsets, const Tensor& like) {
  check_offsets("segment_broadcast", offsets, like);
  return apply_one(Op::segment_broadcast, NoAttrs{}, {y, offsets, like});
}

constinit const OpDef op_segment_mean{
    .name = "segment_mean",
    .doc = "mean over the instances of each bag, 0 for an empty one",
    .dtypes = kFloating,
    .infer = infer_per_bag,
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor one = scalar(1, v.g().dtype());
      const Tensor ones = broadcast_like(one, v.in(0).stop_gradient());
      const Tensor sizes = maximum(segment_sum(ones, v.in(1)), one);
      return Tensors{segment_broadcast(div(v.g(), sizes), v.in(1), v.in(0)), Tensor()};
    }),
    .saves = saves_input(1),
    .samples = normal_segment_samples,
    .bad_samples = segment_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor segment_mean(const Tensor& x, const Tensor& offsets) {
  return segment_op(Op::segment_mean, x, offsets);
}

constinit const OpDef op_segment_max{
    .name = "segment_max",
    .doc = "largest element of each bag, 0 for an empty one; NaN if there is one",
    .dtypes = kFloating,
    .infer = infer_per_bag,
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor x = v.in(0).stop_gradient(), &offsets = v.in(1);
      const Tensor highest = segment_broadcast(v.out().stop_gradient(), offsets, x);
      const Tensor chosen = cast(equal(x, highest), x.dtype());
      const Tensor count = segment_broadcast(segment_sum(chosen, offsets), offsets, x);
      return Tensors{mul(segment_broadcast(v.g(), offsets, x), div(chosen, count)), Tensor()};
    }),
    .saves = kSavesAllInputs | saves_output(),
    .samples = distinct_segment_samples,
    .bad_samples = segment_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor segment_max(const Tensor& x, const Tensor& offsets) {
  return segment_op(Op::segment_max, x, offsets);
}

constinit const OpDef op_segment_softmax{
    .name = "segment_softmax",
    .doc = "softmax over the instances of each bag",
    .dtypes = kFloating,
    .infer = infer_per_instance,
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor &y = v.out(), &offsets = v.in(1);
      const Tensor weighted = mul(v.g(), y);
      const Tensor mean = segment_broadcast(segment_sum(weighted, offsets), offsets, y);
      return Tensors{sub(weighted, mul(y, mean)), Tensor()};
    }),
    .saves = saves_input(1) | saves_output(),
    .samples = normal_segment_samples,
    .bad_samples = segment_bad_samples,
    .cost = streaming_cost<25>,
};
Tensor segment_softmax(const Tensor& x, const Tensor& offsets) {
  return segment_op(Op::segment_softmax, x, offsets);
}

}  // namespace milgrad
