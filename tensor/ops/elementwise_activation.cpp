// Definitions of the activation functions and of clip.
#include "tensor/ops/elementwise.h"

namespace milgrad {
namespace {

std::vector<Spec> infer_clip(const InferArgs& args) {
  const auto [low, high] = args.get<NumberAttrs>();
  if (!(low <= high))
    throw ValueError(
        fmt::format("[{}] bounds {} and {}; expected low <= high", args.op, low, high));
  return infer_unary_floating(args);
}

// gelu(x) = x Phi(x), so gelu'(x) = Phi(x) + x phi(x) with the normal density phi.
Tensors gelu_vjp(const VjpArgs& v) {
  constexpr double kSqrtHalf = 0.70710678118654752440;
  constexpr double kDensityAtZero = 0.39894228040143267794;  // 1 / sqrt(2 pi)
  const Tensor& x = v.in(0);
  const Tensor distribution = 0.5 + 0.5 * erf(kSqrtHalf * x);
  const Tensor density = kDensityAtZero * exp(-0.5 * square(x));
  return {v.g() * (distribution + x * density)};
}

template <Domain domain>
std::vector<Sample> elu_samples() {
  return {{.inputs = {{{2, 3}, domain}}, .attrs = NumberAttrs{1.0}},
          {.inputs = {{{1, 5}, domain}}, .attrs = NumberAttrs{0.7}}};
}

}  // namespace

constinit const OpDef op_tanh = unary({
    .name = "tanh",
    .doc = "hyperbolic tangent",
    .vjp =
        differentiable([](const VjpArgs& v) { return Tensors{v.g() * (1.0 - square(v.out()))}; }),
    .saves = saves_output(),
    .cost = streaming_cost<25>,
});
Tensor tanh(const Tensor& x) { return apply_one(Op::tanh, NoAttrs{}, {x}); }

constinit const OpDef op_sigmoid = unary({
    .name = "sigmoid",
    .doc = "1 / (1 + exp(-x))",
    .vjp =
        differentiable([](const VjpArgs& v) { return Tensors{v.g() * v.out() * (1.0 - v.out())}; }),
    .saves = saves_output(),
    .cost = streaming_cost<25>,
});
Tensor sigmoid(const Tensor& x) { return apply_one(Op::sigmoid, NoAttrs{}, {x}); }

constinit const OpDef op_softplus = unary({
    .name = "softplus",
    .doc = "log(1 + exp(x))",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * sigmoid(v.in(0))}; }),
    .saves = saves_input(0),
    .cost = streaming_cost<45>,
});
Tensor softplus(const Tensor& x) { return apply_one(Op::softplus, NoAttrs{}, {x}); }

constinit const OpDef op_relu = unary({
    .name = "relu",
    .doc = "max(x, 0); its derivative at 0 is 0",
    .vjp = differentiable([](const VjpArgs& v) { return Tensors{v.g() * sign(v.out())}; }),
    .saves = saves_output(),
    .samples = unary_samples<Domain::nonzero>,
});
Tensor relu(const Tensor& x) { return apply_one(Op::relu, NoAttrs{}, {x}); }

constinit const OpDef op_elu = unary({
    .name = "elu",
    .doc = "x for x > 0, else alpha (exp(x) - 1)",
    .vjp = differentiable([](const VjpArgs& v) {
      const double alpha = v.get<NumberAttrs>().a;
      return Tensors{v.g() *
                     where(greater(v.in(0), 0.0), scalar(1, v.out().dtype()), v.out() + alpha)};
    }),
    .saves = saves_input(0) | saves_output(),
    .samples = elu_samples<Domain::nonzero>,
    .cost = streaming_cost<20>,
});
Tensor elu(const Tensor& x, double alpha) {
  return apply_one(Op::elu, NumberAttrs{.a = alpha}, {x});
}

constinit const OpDef op_gelu = unary({
    .name = "gelu",
    .doc = "x times the standard normal distribution function of x",
    .vjp = differentiable(gelu_vjp),
    .saves = saves_input(0),
    .cost = streaming_cost<35>,
});
Tensor gelu(const Tensor& x) { return apply_one(Op::gelu, NoAttrs{}, {x}); }

constinit const OpDef op_clip{
    .name = "clip",
    .doc = "x limited to [low, high]; inside and at the bounds the whole gradient passes",
    .dtypes = kFloating,
    .infer = infer_clip,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{where(equal(v.in(0), v.out()), v.g(), scalar(0, v.out().dtype()))};
    }),
    .saves = saves_input(0) | saves_output(),
    .samples =
        [] {
          return std::vector<Sample>{
              {.inputs = {{{2, 3}, Domain::nonzero}}, .attrs = NumberAttrs{-0.01, 0.01}},
              {.inputs = {{{1, 5}, Domain::unit}}, .attrs = NumberAttrs{0.0, 1.0}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2}, DType::float32}},
                                         NumberAttrs{3, 1},
                                         "bounds 3 and 1; expected low <= high"},
                                        {{{Shape{2}, DType::int64}},
                                         NumberAttrs{0, 1},
                                         "input 0 is int64 (2,); expected float32, float64"}};
        },
    .cost = streaming_cost<2>,
    .in_place = true,
};
Tensor clip(const Tensor& x, double low, double high) {
  return apply_one(Op::clip, NumberAttrs{low, high}, {x});
}

}  // namespace milgrad
