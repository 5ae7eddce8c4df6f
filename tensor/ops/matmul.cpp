// Definitions of the matrix products.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

Shape batch_of(const Shape& shape) {
  return Shape(std::span<const Dim>(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
}

std::vector<Spec> infer_matmul(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_same_dtype(args, kFloating);
  const Shape &a = args.shape(0), &b = args.shape(1);
  const auto [ta, tb] = args.get<MatmulAttrs>();
  if (a.rank() < 2 || b.rank() < 2)
    throw ShapeError(fmt::format("[{}] shapes {} and {}; both need at least 2 axes", args.op,
                                 a.to_string(), b.to_string()),
                     "use expand_dims()");
  const int ra = a.rank(), rb = b.rank();
  const Dim m = a[ra - (ta ? 1 : 2)], k = a[ra - (ta ? 2 : 1)];
  const Dim kb = b[rb - (tb ? 1 : 2)], n = b[rb - (tb ? 2 : 1)];
  if (k != kb)
    throw ShapeError(fmt::format("[{}] inner sizes {} and {} of shapes {} and {} differ", args.op,
                                 dim_to_string(k), dim_to_string(kb), a.to_string(), b.to_string()),
                     "see the transpose flags");
  Shape out = broadcast_shapes(args.op, batch_of(a), batch_of(b));
  out.push_back(m);
  out.push_back(n);
  return {{out, args.dtype(0)}};
}

// c = op(a) op(b), g = dL/dc; the two flags cover all four gradients without a copy.
Tensors matmul_vjp(const VjpArgs& v) {
  const auto [ta, tb] = v.get<MatmulAttrs>();
  const Tensor &a = v.in(0), &b = v.in(1), &g = v.g();
  Tensor da, db;
  if (v.needs(0)) da = ta ? matmul(b, g, {tb, true}) : matmul(g, b, {false, !tb});
  if (v.needs(1)) db = tb ? matmul(g, a, {true, ta}) : matmul(a, g, {!ta, false});
  return {da, db};
}

Cost matmul_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  const Shape& a = inputs[0].shape;
  const Dim k = a[a.rank() - (std::get<MatmulAttrs>(attrs).transpose_a ? 2 : 1)];
  cost.flops = 2.0 * static_cast<double>(k) * static_cast<double>(outputs[0].shape.numel());
  return cost;
}

}  // namespace

constinit const OpDef op_matmul{
    .name = "matmul",
    .doc = "matrix product of the last two axes, leading axes broadcast",
    .dtypes = kFloating,
    .infer = infer_matmul,
    .vjp = differentiable(matmul_vjp),
    .saves = kSavesAllInputs,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{3, 4}}}, MatmulAttrs{false, false}},
                                     {{{{3, 2}}, {{3, 4}}}, MatmulAttrs{true, false}},
                                     {{{{2, 3}}, {{4, 3}}}, MatmulAttrs{false, true}},
                                     {{{{3, 2}}, {{4, 3}}}, MatmulAttrs{true, true}},
                                     {{{{5, 1, 2, 3}}, {{2, 3, 1}}}, MatmulAttrs{false, false}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{4, 5}, DType::float32}},
               MatmulAttrs{},
               "inner sizes 3 and 4 of shapes (2, 3) and (4, 5) differ"},
              {{{Shape{3}, DType::float32}, {Shape{3, 4}, DType::float32}},
               MatmulAttrs{},
               "both need at least 2 axes"}};
        },
    .cost = matmul_cost,
};
Tensor matmul(const Tensor& a, const Tensor& b, MatmulAttrs flags) {
  return apply_one(Op::matmul, flags, {a, b});
}

}  // namespace milgrad
