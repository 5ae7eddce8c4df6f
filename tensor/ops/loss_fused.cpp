// Softmax and cross-entropy in one, by the rule for probabilities: made by a pass of programs.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

/// (samples, classes) for the first two inputs.
void expect_rows(const InferArgs& args, int count) {
  expect_inputs(args, count);
  expect_same_dtype(args, kFloating);
  if (args.shape(0).rank() != 2 || !(args.shape(0) == args.shape(1)))
    throw ShapeError(fmt::format("[{}] got {} and targets {}; expected both (samples, classes)",
                                 args.op, args.shape(0).to_string(), args.shape(1).to_string()));
}

std::vector<Spec> infer_forward(const InferArgs& args) {
  expect_rows(args, 2);
  return {args.inputs[0], {Shape{args.shape(0)[0]}, args.dtype(0)}};
}

std::vector<Spec> infer_gradient(const InferArgs& args) {
  expect_rows(args, 3);
  if (!(args.shape(2) == Shape{args.shape(0)[0]}))
    throw ShapeError(fmt::format("[{}] cotangents have shape {}; expected one per row of {}",
                                 args.op, args.shape(2).to_string(), args.shape(0).to_string()));
  return {args.inputs[0]};
}

Tensors forward_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& bounds = std::get<NumberAttrs>(attrs);
  const Tensor p = softmax(in[0], 1);
  const Tensor logarithm = log(clip(div(p, sum(p, {1}, true)), bounds.a, bounds.b));
  return {p, neg(sum(mul(in[1], logarithm), {1}))};
}

/// The derivative of the above in p, and softmax's rule.
Tensors gradient_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& bounds = std::get<NumberAttrs>(attrs);
  const Tensor &p = in[0], total = sum(p, {1}, true), share = div(p, total);
  const Tensor clipped = clip(share, bounds.a, bounds.b);
  const Tensor slope =
      where(equal(share, clipped), div(mul(neg(expand_dims(in[2], {1})), in[1]), clipped),
            scalar(0, p.dtype()));
  const Tensor per_share = div(slope, total);
  const Tensor dp = sub(per_share, sum(mul(per_share, share), {1}, true));
  const Tensor weighted = mul(dp, p);
  return {sub(weighted, mul(p, sum(weighted, {1}, true)))};
}

constexpr NumberAttrs kBounds{.a = 0.05, .b = 0.95};

}  // namespace

constinit const OpDef op_clipped_softmax_cross_entropy{
    .name = "clipped_softmax_cross_entropy",
    .doc = "p = softmax(x) of each row, and -sum(targets * log(clip(p / sum(p))))",
    .dtypes = kFloating,
    .infer = infer_forward,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{3, 4}}, {{3, 4}, Domain::unit}}, kBounds},
                                     {{{{1, 2}}, {{1, 2}, Domain::unit}}, kBounds}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{3, 4}, DType::float32}, {Shape{3, 1}, DType::float32}},
               kBounds,
               "got (3, 4) and targets (3, 1); expected both (samples, classes)"}};
        },
    .cost = streaming_cost<30>,
    .reference = forward_reference,
};

constinit const OpDef op_clipped_softmax_cross_entropy_gradient{
    .name = "clipped_softmax_cross_entropy_gradient",
    .doc = "gradient in x of clipped_softmax_cross_entropy, from p, targets and cotangents",
    .dtypes = kFloating,
    .infer = infer_gradient,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{3, 4}, Domain::unit}, {{3, 4}, Domain::unit}, {{3}}}, kBounds},
              {{{{1, 2}, Domain::unit}, {{1, 2}, Domain::unit}, {{1}}}, kBounds}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{3, 4}, DType::float32},
                                          {Shape{3, 4}, DType::float32},
                                          {Shape{4}, DType::float32}},
                                         kBounds,
                                         "cotangents have shape (4,); expected one per row of "
                                         "(3, 4)"}};
        },
    .cost = streaming_cost<20>,
    .reference = gradient_reference,
};

}  // namespace milgrad
