// Definitions of the matrix products.
#include "backends/cpu/dense.h"
#include "backends/cpu/gemm.h"
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
  Tensor a = v.in(0), g = v.g();
  const Tensor& b = v.in(1);
  Tensor da, db;
  if (v.needs(0)) da = ta ? matmul(b, g, {tb, true}) : matmul(g, b, {false, !tb});
  if (v.needs(1)) {
    // One b for a whole batch: its gradient is one product over all rows, not a sum of many.
    if (b.rank() == 2 && !ta) a = as_rows(a), g = as_rows(g);
    db = tb ? matmul(g, a, {true, ta}) : matmul(a, g, {!ta, false});
  }
  return {da, db};
}

/// Sizes of the products: one matrix b for a whole batch is multiplied at once.
cpu::GemmSizes product_sizes(std::span<const Spec> inputs, MatmulAttrs flags) {
  const Shape &a = inputs[0].shape, &b = inputs[1].shape;
  const auto [ta, tb] = flags;
  const bool at_once = b.rank() == 2 && !ta;
  return {.m = at_once ? a.product(0, a.rank() - 1) : a[a.rank() - (ta ? 1 : 2)],
          .n = b[b.rank() - (tb ? 2 : 1)],
          .k = b[b.rank() - (tb ? 1 : 2)],
          .transpose_a = ta,
          .transpose_b = tb};
}

std::size_t matmul_workspace(std::span<const Spec> inputs, const Attrs& attrs) {
  const auto [ta, tb] = std::get<MatmulAttrs>(attrs);
  const auto sizes = product_sizes(inputs, {ta, tb});
  const bool by_weights = inputs[1].shape.rank() == 2 && !ta && !tb;
  const Dim scratch =
      by_weights ? cpu::dense_scratch(sizes.m, sizes.k, sizes.n) : cpu::gemm_scratch(sizes);
  return static_cast<std::size_t>(scratch) * size_of(inputs[0].dtype);
}
std::size_t linear_workspace(std::span<const Spec> inputs, const Attrs&) {
  const auto sizes = product_sizes(inputs, {});
  return static_cast<std::size_t>(cpu::dense_scratch(sizes.m, sizes.k, sizes.n)) *
         size_of(inputs[0].dtype);
}

std::vector<Spec> infer_linear(const InferArgs& args) {
  if (args.count() != 3) expect_inputs(args, 2);
  expect_same_dtype(args, kFloating);
  expect_dense(args, 0, 1, args.count() == 3 ? 2 : -1);
  Shape out = args.shape(0);
  out[out.rank() - 1] = args.shape(1)[1];
  return {{out, args.dtype(0)}};
}

// y = x w + b: dx = g w^T, dw = x^T g over all rows, db = g summed by the reverse walk.
Tensors linear_vjp(const VjpArgs& v) {
  const Tensor &x = v.in(0), &weight = v.in(1);
  const Tensor g = as_rows(v.g());
  Tensors result(v.inputs.size());
  if (v.needs(0)) result[0] = reshape_like(matmul(g, weight, {.transpose_b = true}), x);
  if (v.needs(1)) result[1] = matmul(as_rows(x), g, {.transpose_a = true});
  if (result.size() == 3) result[2] = v.g();
  return result;
}

Tensors linear_reference(std::span<const Tensor> inputs, const Attrs&) {
  const Tensor &x = inputs[0], &weight = inputs[1];
  const Tensor y = x.rank() == 1 ? squeeze(matmul(as_rows(x), weight), {0}) : matmul(x, weight);
  return {inputs.size() == 3 ? add(y, inputs[2]) : y};
}

Cost matmul_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  const Shape& a = inputs[0].shape;
  const Dim k = a[a.rank() - (std::get<MatmulAttrs>(attrs).transpose_a ? 2 : 1)];
  cost.flops = 2.0 * static_cast<double>(k) * static_cast<double>(outputs[0].shape.numel());
  return cost;
}

}  // namespace

Tensor as_rows(const Tensor& x) {
  if (x.rank() == 1) return expand_dims(x, {0});
  return flatten(x, 0, -2);
}

void expect_dense(const InferArgs& args, int x, int weight, int bias) {
  const Shape &in = args.shape(x), &w = args.shape(weight);
  if (in.rank() < 1 || w.rank() != 2 || in.back() != w[0])
    throw ShapeError(fmt::format("[{}] x of shape {} with weight {}; expected (.., k) and (k, n)",
                                 args.op, in.to_string(), w.to_string()),
                     "the last size of x must be the first of the weight");
  if (bias >= 0 && !(args.shape(bias) == Shape{w[1]}))
    throw ShapeError(fmt::format("[{}] bias of shape {} for weight {}; expected {}", args.op,
                                 args.shape(bias).to_string(), w.to_string(),
                                 Shape{w[1]}.to_string()));
}

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
    .workspace = matmul_workspace,
};
Tensor matmul(const Tensor& a, const Tensor& b, MatmulAttrs flags) {
  return apply_one(Op::matmul, flags, {a, b});
}

constinit const OpDef op_linear{
    .name = "linear",
    .doc = "x times a weight matrix plus a bias",
    .dtypes = kFloating,
    .infer = infer_linear,
    .vjp = differentiable(linear_vjp),
    .saves = saves_input(0) | saves_input(1),
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{3, 4}}, {{4}}}, NoAttrs{}},
                                     {{{{1, 3}}, {{3, 1}}}, NoAttrs{}},
                                     {{{{3}}, {{3, 2}}, {{2}}}, NoAttrs{}},
                                     {{{{2, 2, 3}}, {{3, 2}}, {{2}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{4, 5}, DType::float32}},
               NoAttrs{},
               "x of shape (2, 3) with weight (4, 5); expected (.., k) and (k, n)"},
              {{{Shape{2, 3}, DType::float32},
                {Shape{3, 5}, DType::float32},
                {Shape{4}, DType::float32}},
               NoAttrs{},
               "bias of shape (4,) for weight (3, 5); expected (5,)"}};
        },
    .cost =
        [](std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
          Cost cost = streaming_cost<1>(inputs, outputs, attrs);
          cost.flops += 2.0 * static_cast<double>(inputs[1].shape[0]) *
                        static_cast<double>(outputs[0].shape.numel());
          return cost;
        },
    .reference = linear_reference,
    .workspace = linear_workspace,
};
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!bias.defined()) return apply_one(Op::linear, NoAttrs{}, {x, weight});
  return apply_one(Op::linear, NoAttrs{}, {x, weight, bias});
}

}  // namespace milgrad
