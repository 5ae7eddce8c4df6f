// Definitions of the elementwise functions of one tensor; activations stand apart.
#include "tensor/ops/elementwise.h"

namespace milgrad {

constinit const OpDef op_neg{
    .name = "neg",
    .doc = "-x",
    .dtypes = kSigned,
    .infer = infer_unary_signed,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{-v.g()}; }),
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::normal>,
    .bad_samples = numeric_bad_samples,
    .cost = streaming_cost<1>,
    .in_place = true,
};
Tensor neg(const Tensor& x) { return apply_one(Op::neg, NoAttrs{}, {x}); }

constinit const OpDef op_abs{
    .name = "abs",
    .doc = "absolute value; its derivative at 0 is 0",
    .dtypes = kNumeric,
    .infer = infer_unary_numeric,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * sign(v.in(0))}; }),
    .saves = saves_input(0),
    .samples = unary_samples<Domain::nonzero>,
    .bad_samples = numeric_bad_samples,
    .cost = streaming_cost<1>,
    .in_place = true,
};
Tensor abs(const Tensor& x) { return apply_one(Op::abs, NoAttrs{}, {x}); }

constinit const OpDef op_sign{
    .name = "sign",
    .doc = "-1, 0 or 1; its derivative is 0",
    .dtypes = kNumeric,
    .infer = infer_unary_numeric,
    .vjp = kZeroGradient,
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::nonzero>,
    .bad_samples = numeric_bad_samples,
    .cost = streaming_cost<2>,
    .in_place = true,
};
Tensor sign(const Tensor& x) { return apply_one(Op::sign, NoAttrs{}, {x}); }

constinit const OpDef op_square{
    .name = "square",
    .doc = "x * x",
    .dtypes = kNumeric,
    .infer = infer_unary_numeric,
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * (2.0 * v.in(0))}; }),
    .saves = saves_input(0),
    .samples = unary_samples<Domain::normal>,
    .bad_samples = numeric_bad_samples,
    .cost = streaming_cost<1>,
    .in_place = true,
};
Tensor square(const Tensor& x) { return apply_one(Op::square, NoAttrs{}, {x}); }

constinit const OpDef op_exp = unary({
    .name = "exp",
    .doc = "e to the power x",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * v.out()}; }),
    .saves = saves_output(),
    .cost = streaming_cost<20>,
});
Tensor exp(const Tensor& x) { return apply_one(Op::exp, NoAttrs{}, {x}); }

constinit const OpDef op_expm1 = unary({
    .name = "expm1",
    .doc = "e to the power x, minus 1, exact near 0",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * (v.out() + 1.0)}; }),
    .saves = saves_output(),
    .cost = streaming_cost<20>,
});
Tensor expm1(const Tensor& x) { return apply_one(Op::expm1, NoAttrs{}, {x}); }

constinit const OpDef op_log = unary({
    .name = "log",
    .doc = "natural logarithm",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() / v.in(0)}; }),
    .saves = saves_input(0),
    .samples = unary_samples<Domain::positive>,
    .cost = streaming_cost<20>,
});
Tensor log(const Tensor& x) { return apply_one(Op::log, NoAttrs{}, {x}); }

constinit const OpDef op_log1p = unary({
    .name = "log1p",
    .doc = "natural logarithm of 1 + x, exact near 0",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() / (v.in(0) + 1.0)}; }),
    .saves = saves_input(0),
    .samples = unary_samples<Domain::symmetric>,
    .cost = streaming_cost<20>,
});
Tensor log1p(const Tensor& x) { return apply_one(Op::log1p, NoAttrs{}, {x}); }

constinit const OpDef op_sqrt = unary({
    .name = "sqrt",
    .doc = "square root",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * 0.5 / v.out()}; }),
    .saves = saves_output(),
    .samples = unary_samples<Domain::positive>,
});
Tensor sqrt(const Tensor& x) { return apply_one(Op::sqrt, NoAttrs{}, {x}); }

constinit const OpDef op_rsqrt = unary({
    .name = "rsqrt",
    .doc = "1 / sqrt(x)",
    .vjp = differentiable(
        [](const VjpArgs& v) { return Tensors{v.g() * -0.5 * v.out() * square(v.out())}; }),
    .saves = saves_output(),
    .samples = unary_samples<Domain::positive>,
    .cost = streaming_cost<2>,
});
Tensor rsqrt(const Tensor& x) { return apply_one(Op::rsqrt, NoAttrs{}, {x}); }

constinit const OpDef op_reciprocal = unary({
    .name = "reciprocal",
    .doc = "1 / x",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{-v.g() * square(v.out())}; }),
    .saves = saves_output(),
    .samples = unary_samples<Domain::positive>,
});
Tensor reciprocal(const Tensor& x) { return apply_one(Op::reciprocal, NoAttrs{}, {x}); }

constinit const OpDef op_sin = unary({
    .name = "sin",
    .doc = "sine of x radians",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * cos(v.in(0))}; }),
    .saves = saves_input(0),
    .cost = streaming_cost<20>,
});
Tensor sin(const Tensor& x) { return apply_one(Op::sin, NoAttrs{}, {x}); }

constinit const OpDef op_cos = unary({
    .name = "cos",
    .doc = "cosine of x radians",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{-v.g() * sin(v.in(0))}; }),
    .saves = saves_input(0),
    .cost = streaming_cost<20>,
});
Tensor cos(const Tensor& x) { return apply_one(Op::cos, NoAttrs{}, {x}); }

constinit const OpDef op_erf = unary({
    .name = "erf",
    .doc = "error function",
    .vjp = differentiable([](const VjpArgs& v) {
      constexpr double kTwoOverSqrtPi = 1.12837916709551257390;
      return Tensors{v.g() * exp(-square(v.in(0))) * kTwoOverSqrtPi};
    }),
    .saves = saves_input(0),
    .cost = streaming_cost<30>,
});
Tensor erf(const Tensor& x) { return apply_one(Op::erf, NoAttrs{}, {x}); }

constinit const OpDef op_floor = unary({
    .name = "floor",
    .doc = "largest whole number not above x; its derivative is 0",
    .vjp = kZeroGradient,
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::unit>,
});
Tensor floor(const Tensor& x) { return apply_one(Op::floor, NoAttrs{}, {x}); }

constinit const OpDef op_round = unary({
    .name = "round",
    .doc = "nearest whole number, halves to the even one; its derivative is 0",
    .vjp = kZeroGradient,
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::ties>,
});
Tensor round(const Tensor& x) { return apply_one(Op::round, NoAttrs{}, {x}); }

}  // namespace milgrad
