// Definitions of softmax, its logarithm and log(sum(exp(x))).
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

std::vector<Spec> infer_softmax(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kFloating);
  expect_axis(args, 0, args.get<AxisAttrs>().axis);
  return {args.inputs[0]};
}

std::vector<Spec> infer_logsumexp(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kFloating);
  return {{shape_without_axis(args), args.dtype(0)}};
}

std::vector<Sample> softmax_samples() {
  return {{{{{2, 5}}}, AxisAttrs{1}},
          {{{{2, 3, 4}}}, AxisAttrs{1}},
          {{{{4, 1}}}, AxisAttrs{0}},
          {{{{1, 3}}}, AxisAttrs{0}}};
}
std::vector<BadSample> softmax_bad_samples() {
  return {
      {{{Shape{2}, DType::int32}}, AxisAttrs{0}, "input 0 is int32 (2,)"},
      {{{Shape{2, 3}, DType::float32}}, AxisAttrs{2}, "axis 2 is out of range for shape (2, 3)"}};
}

Cost softmax_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  cost.flops = 25.0 * static_cast<double>(inputs[0].shape.numel());
  return cost;
}

std::vector<Spec> infer_softmax_gradient(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_same_dtype(args, kFloating);
  expect_axis(args, 0, args.get<AxisAttrs>().axis);
  if (args.shape(0) == args.shape(1)) return {args.inputs[0]};
  throw ShapeError(fmt::format("[{}] the cotangent has shape {}; expected {}", args.op,
                               args.shape(1).to_string(), args.shape(0).to_string()));
}

Tensor softmax_gradient(const Tensor& y, const Tensor& g, int axis) {
  return apply_one(Op::softmax_gradient, AxisAttrs{axis}, {y, g});
}

Tensors softmax_vjp(const VjpArgs& v) {
  return {softmax_gradient(v.out(), v.g(), v.get<AxisAttrs>().axis)};
}

/// With s = sum(g y): of y (g - s) in y, h (g - s) - g sum(h y); in g, the same operation on h.
Tensors softmax_gradient_vjp(const VjpArgs& v) {
  const Tensor &y = v.in(0), &g = v.in(1), &h = v.g();
  const int axis = v.get<AxisAttrs>().axis;
  const auto inner = [&](const Tensor& x) { return sum(mul(x, y), {axis}, true); };
  Tensor dy;
  if (v.needs(0)) dy = sub(mul(h, sub(g, inner(g))), mul(g, inner(h)));
  return {dy, v.needs(1) ? softmax_gradient(y, h, axis) : Tensor()};
}

/// dx = g - softmax(x) sum(g)
Tensors log_softmax_vjp(const VjpArgs& v) {
  return {sub(v.g(), mul(exp(v.out()), sum(v.g(), {v.get<AxisAttrs>().axis}, true)))};
}

}  // namespace

constinit const OpDef op_softmax{
    .name = "softmax",
    .doc = "exp(x) / sum(exp(x)) along an axis",
    .dtypes = kFloating,
    .infer = infer_softmax,
    .vjp = differentiable(softmax_vjp),
    .saves = saves_output(),
    .samples = softmax_samples,
    .bad_samples = softmax_bad_samples,
    .cost = softmax_cost,
};
Tensor softmax(const Tensor& x, int axis) {
  return apply_one(Op::softmax, AxisAttrs{normalize_axis("softmax", axis, x.shape())}, {x});
}

constinit const OpDef op_softmax_gradient{
    .name = "softmax_gradient",
    .doc = "y (g - sum(g y)) along an axis: the gradient of softmax from its result and cotangent",
    .dtypes = kFloating,
    .infer = infer_softmax_gradient,
    .vjp = differentiable(softmax_gradient_vjp),
    .saves = kSavesAllInputs,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 5}}, {{2, 5}}}, AxisAttrs{1}},
                                     {{{{2, 3, 4}}, {{2, 3, 4}}}, AxisAttrs{1}},
                                     {{{{4, 1}}, {{4, 1}}}, AxisAttrs{0}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{2, 1}, DType::float32}},
               AxisAttrs{1},
               "the cotangent has shape (2, 1); expected (2, 3)"}};
        },
    .cost = streaming_cost<4>,
    .reference =
        [](std::span<const Tensor> in, const Attrs& attrs) {
          const Tensor weighted = mul(in[1], in[0]);
          const Tensor total = sum(weighted, {std::get<AxisAttrs>(attrs).axis}, true);
          return Tensors{sub(weighted, mul(in[0], total))};
        },
};

constinit const OpDef op_log_softmax{
    .name = "log_softmax",
    .doc = "x - log(sum(exp(x))) along an axis",
    .dtypes = kFloating,
    .infer = infer_softmax,
    .vjp = differentiable(log_softmax_vjp),
    .saves = saves_output(),
    .samples = softmax_samples,
    .bad_samples = softmax_bad_samples,
    .cost = softmax_cost,
};
Tensor log_softmax(const Tensor& x, int axis) {
  return apply_one(Op::log_softmax, AxisAttrs{normalize_axis("log_softmax", axis, x.shape())}, {x});
}

constinit const OpDef op_logsumexp{
    .name = "logsumexp",
    .doc = "log(sum(exp(x))) over one axis, without overflow",
    .dtypes = kFloating,
    .infer = infer_logsumexp,
    .vjp = differentiable([](const VjpArgs& v) {
      const int axis = v.get<AxisAttrs>().axis;
      return Tensors{mul(expand_dims(v.g(), {axis}), softmax(v.in(0), axis))};
    }),
    .saves = saves_input(0),
    .samples = softmax_samples,
    .bad_samples = softmax_bad_samples,
    .cost = softmax_cost,
};
Tensor logsumexp(const Tensor& x, Axes axes, bool keep_dims) {
  return reduce_axis_by_axis(Op::logsumexp, x, axes, keep_dims);
}
Tensor logsumexp(const Tensor& x) { return logsumexp(x, all_axes(x)); }

}  // namespace milgrad
