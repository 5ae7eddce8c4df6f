// Definitions of the elementwise operations: broadcasting, gradient rules, samples.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

std::vector<Spec> infer_unary(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kFloating);
  return {args.inputs[0]};
}

std::vector<Spec> infer_binary(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_same_dtype(args, kNumeric);
  return {{broadcast_shapes(args.op, args.shape(0), args.shape(1)), args.dtype(0)}};
}

template <Domain domain>
std::vector<Sample> unary_samples() {
  return {{.inputs = {{{2, 3}, domain}}}, {.inputs = {{{1, 5}, domain}}}};
}
std::vector<BadSample> unary_bad_samples() {
  return {{{{Shape{2}, DType::boolean}}, NoAttrs{}, "expected float32, float64"}};
}
template <Domain domain>
std::vector<Sample> binary_samples() {
  return {{.inputs = {{{2, 3}, domain}, {{2, 3}, domain}}},
          {.inputs = {{{2, 1, 4}, domain}, {{3, 1}, domain}}},
          {.inputs = {{{}, domain}, {{3}, domain}}}};
}
std::vector<BadSample> binary_bad_samples() {
  return {{{{Shape{2, 3}, DType::float32}, {Shape{4}, DType::float32}},
           NoAttrs{},
           "shapes (2, 3) and (4,) do not broadcast"},
          {{{Shape{2}, DType::float32}, {Shape{2}, DType::float64}},
           NoAttrs{},
           "dtypes are never promoted"}};
}

}  // namespace

constinit const OpDef op_neg{
    .name = "neg",
    .doc = "-x",
    .dtypes = kFloating,
    .infer = infer_unary,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{neg(v.g())}; }),
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::normal>,
    .bad_samples = unary_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor neg(const Tensor& x) { return apply_one(Op::neg, NoAttrs{}, {x}); }

constinit const OpDef op_exp{
    .name = "exp",
    .doc = "e to the power x",
    .dtypes = kFloating,
    .infer = infer_unary,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{mul(v.g(), v.out())}; }),
    .saves = saves_output(),
    .samples = unary_samples<Domain::normal>,
    .bad_samples = unary_bad_samples,
    .cost = streaming_cost<20>,
};
Tensor exp(const Tensor& x) { return apply_one(Op::exp, NoAttrs{}, {x}); }

constinit const OpDef op_add{
    .name = "add",
    .doc = "a + b",
    .dtypes = kNumeric,
    .infer = infer_binary,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{v.g(), v.g()};
    }),
    .saves = kSavesNothing,
    .samples = binary_samples<Domain::normal>,
    .bad_samples = binary_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor add(const Tensor& a, const Tensor& b) { return apply_one(Op::add, NoAttrs{}, {a, b}); }

constinit const OpDef op_mul{
    .name = "mul",
    .doc = "a * b",
    .dtypes = kNumeric,
    .infer = infer_binary,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{v.needs(0) ? mul(v.g(), v.in(1)) : Tensor(),
                     v.needs(1) ? mul(v.g(), v.in(0)) : Tensor()};
    }),
    .saves = saves_input(0) | saves_input(1),
    .samples = binary_samples<Domain::normal>,
    .bad_samples = binary_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor mul(const Tensor& a, const Tensor& b) { return apply_one(Op::mul, NoAttrs{}, {a, b}); }

}  // namespace milgrad
