// Definitions of the arithmetic of two tensors. No rule undoes a broadcast: the reverse walk does.
#include "tensor/ops/elementwise.h"

namespace milgrad {
namespace {

std::vector<Sample> division_samples() {
  return {{.inputs = {{{2, 3}}, {{2, 3}, Domain::positive}}},
          {.inputs = {{{2, 1, 4}}, {{3, 1}, Domain::positive}}},
          {.inputs = {{{}}, {{3}, Domain::positive}}}};
}

// d(a^b) = b a^(b-1) da + log(a) a^b db. Where b = 0 the first term is 0, and where a = 0 the
// second, instead of 0 * inf.
Tensors pow_vjp(const VjpArgs& v) {
  const Tensor &a = v.in(0), &b = v.in(1);
  const Tensor one = scalar(1, b.dtype());
  Tensor da, db;
  if (v.needs(0)) da = v.g() * b * pow(a, where(equal(b, 0.0), one, b - 1.0));
  if (v.needs(1)) db = v.g() * v.out() * log(where(equal(a, 0.0), one, a));
  return {da, db};
}

// The gradient goes to the one that wins; at a tie each gets half.
Tensors shared_at_ties(const VjpArgs& v, const Tensor& a_wins) {
  const Tensor zero = scalar(0, v.g().dtype());
  const Tensor da = where(a_wins, v.g(), where(equal(v.in(0), v.in(1)), 0.5 * v.g(), zero));
  return {da, v.g() - da};
}

}  // namespace

constinit const OpDef op_add = binary({
    .name = "add",
    .doc = "a + b",
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{v.g(), v.g()};
    }),
    .saves = kSavesNothing,
});
Tensor add(const Tensor& a, const Tensor& b) { return apply_one(Op::add, NoAttrs{}, {a, b}); }

constinit const OpDef op_sub = binary({
    .name = "sub",
    .doc = "a - b",
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{v.g(), v.needs(1) ? -v.g() : Tensor()};
    }),
    .saves = kSavesNothing,
});
Tensor sub(const Tensor& a, const Tensor& b) { return apply_one(Op::sub, NoAttrs{}, {a, b}); }

constinit const OpDef op_mul = binary({
    .name = "mul",
    .doc = "a * b",
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{v.needs(0) ? v.g() * v.in(1) : Tensor(),
                     v.needs(1) ? v.g() * v.in(0) : Tensor()};
    }),
    .saves = saves_input(0) | saves_input(1),
});
Tensor mul(const Tensor& a, const Tensor& b) { return apply_one(Op::mul, NoAttrs{}, {a, b}); }

constinit const OpDef op_div = binary({
    .name = "div",
    .doc = "a / b",
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor da = v.g() / v.in(1);
      return Tensors{da, v.needs(1) ? -da * v.out() : Tensor()};
    }),
    .saves = saves_input(1) | saves_output(),
    .samples = division_samples,
    .dtypes = kFloating,
    .infer = infer_binary_floating,
});
Tensor div(const Tensor& a, const Tensor& b) { return apply_one(Op::div, NoAttrs{}, {a, b}); }

constinit const OpDef op_pow = binary({
    .name = "pow",
    .doc = "a to the power b",
    .vjp = differentiable(pow_vjp),
    .saves = kSavesAllInputs | saves_output(),
    .samples = binary_samples<Domain::positive>,
    .dtypes = kFloating,
    .infer = infer_binary_floating,
    .cost = streaming_cost<50>,
});
Tensor pow(const Tensor& a, const Tensor& b) { return apply_one(Op::pow, NoAttrs{}, {a, b}); }

constinit const OpDef op_maximum = binary({
    .name = "maximum",
    .doc = "the larger of a and b; equal ones share the gradient",
    .vjp = differentiable(
        [](const VjpArgs& v) { return shared_at_ties(v, greater(v.in(0), v.in(1))); }),
    .saves = kSavesAllInputs,
});
Tensor maximum(const Tensor& a, const Tensor& b) {
  return apply_one(Op::maximum, NoAttrs{}, {a, b});
}

constinit const OpDef op_minimum = binary({
    .name = "minimum",
    .doc = "the smaller of a and b; equal ones share the gradient",
    .vjp =
        differentiable([](const VjpArgs& v) { return shared_at_ties(v, less(v.in(0), v.in(1))); }),
    .saves = kSavesAllInputs,
});
Tensor minimum(const Tensor& a, const Tensor& b) {
  return apply_one(Op::minimum, NoAttrs{}, {a, b});
}

}  // namespace milgrad
