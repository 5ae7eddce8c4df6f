// Definitions of the operations that a program's passes make of several: dense layers with their
// activations, and the backward pass of a dense layer with the update of its weights.
#include "backends/cpu/dense_update.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

Tensor activated(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::relu:
      return relu(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::sigmoid:
      return sigmoid(x);
    default:
      return x;
  }
}

Spec dense_output(const InferArgs& args, int weight) {
  Shape shape = args.shape(0);
  shape[shape.rank() - 1] = args.shape(weight)[1];
  return {shape, args.dtype(0)};
}

std::vector<Spec> infer_dense(const InferArgs& args) {
  if (args.count() != 3) expect_inputs(args, 2);
  expect_same_dtype(args, kFloating);
  expect_dense(args, 0, 1, args.count() == 3 ? 2 : -1);
  return {dense_output(args, 1)};
}

Tensors dense_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const Tensor y = linear(in[0], in[1], in.size() == 3 ? in[2] : Tensor());
  return {activated(y, std::get<DenseAttrs>(attrs).activation)};
}

std::size_t product_scratch(const Spec& x, const Spec& weight) {
  const Dim rows = x.shape.product(0, x.shape.rank() - 1);
  return static_cast<std::size_t>(cpu::dense_scratch(rows, weight.shape[0], weight.shape[1])) *
         size_of(x.dtype);
}

/// Which input is the kernel of each member; behind the last, the number of inputs.
std::vector<int> kernels_of(const MultiDenseAttrs& attrs) {
  std::vector<int> inputs{1};
  for (const DenseMember& member : attrs.members)
    inputs.push_back(inputs.back() + (member.bias ? 2 : 1));
  return inputs;
}

std::vector<Spec> infer_multi_dense(const InferArgs& args) {
  const auto& attrs = args.get<MultiDenseAttrs>();
  const std::vector<int> kernels = kernels_of(attrs);
  if (attrs.members.empty()) throw ValueError(fmt::format("[{}] no members", args.op));
  expect_inputs(args, kernels.back());
  expect_same_dtype(args, kFloating);
  std::vector<Spec> outputs;
  for (std::size_t i = 0; i < attrs.members.size(); ++i) {
    expect_dense(args, 0, kernels[i], attrs.members[i].bias ? kernels[i] + 1 : -1);
    outputs.push_back(dense_output(args, kernels[i]));
  }
  return outputs;
}

Tensors multi_dense_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& multi = std::get<MultiDenseAttrs>(attrs);
  const std::vector<int> kernels = kernels_of(multi);
  Tensors outputs;
  for (std::size_t i = 0; i < multi.members.size(); ++i) {
    const auto kernel = static_cast<std::size_t>(kernels[i]);
    const DenseMember& member = multi.members[i];
    const Tensor y = linear(in[0], in[kernel], member.bias ? in[kernel + 1] : Tensor());
    outputs.push_back(activated(y, member.activation));
  }
  return outputs;
}

Cost multi_dense_cost(std::span<const Spec> inputs, std::span<const Spec> outputs,
                      const Attrs& attrs) {
  Cost cost = streaming_cost<1>(inputs, outputs, attrs);
  for (const Spec& y : outputs)
    cost.flops +=
        2.0 * static_cast<double>(inputs[0].shape.back()) * static_cast<double>(y.shape.numel());
  return cost;
}

// x, g, step size or learning rate, then the kernel and its slots, then the bias and its own.
constexpr int kKernel = 3;

std::vector<Spec> infer_update(const InferArgs& args, const DenseUpdate& update, int slots) {
  expect_inputs(args, kKernel + (slots + 1) * (update.bias ? 2 : 1));
  expect_dtype(args, 0, kFloating);
  for (int i : {1, kKernel}) {
    if (args.dtype(i) == args.dtype(0)) continue;
    throw DTypeError(fmt::format("[{}] input {} is {} but x is {}", args.op, i,
                                 name_of(args.dtype(i)), name_of(args.dtype(0))));
  }
  expect_scalar(args, 2, "step size", kFloating);
  const int bias = kKernel + 1 + slots;
  expect_dense(args, 0, kKernel, update.bias ? bias : -1);
  const Shape &x = args.shape(0), &kernel = args.shape(kKernel);
  Shape g = x;
  g[x.rank() - 1] = kernel[1];
  if (!(args.shape(1) == g))
    throw ShapeError(fmt::format("[{}] a cotangent of shape {} for x {} and kernel {}; expected {}",
                                 args.op, args.shape(1).to_string(), x.to_string(),
                                 kernel.to_string(), g.to_string()));
  for (int slot = 1; slot <= slots; ++slot) {
    expect_like_variable(args, kKernel + slot, "slot", kKernel);
    if (update.bias) expect_like_variable(args, bias + slot, "slot", bias);
  }
  std::vector<Spec> outputs;
  if (update.input_gradient) outputs.push_back({x, args.dtype(0)});
  if (update.sum_of_squares) outputs.push_back({Shape{}, args.dtype(0)});
  return outputs;
}

/// New values by `step`, which takes variable, slots and gradient of the kernel and then the bias.
template <class Step>
Tensors update_reference(std::span<const Tensor> in, const DenseUpdate& update, int slots,
                         const Step& step) {
  const Tensor x = as_rows(in[0]), g = as_rows(in[1]), &kernel = in[kKernel];
  const auto variables = [&](int first) {
    return in.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(1 + slots));
  };
  const Tensor gradient = matmul(x, g, {.transpose_a = true}) + kernel * update.decay;
  Tensors results = step(variables(kKernel), gradient);
  if (update.bias)
    for (const Tensor& value : step(variables(kKernel + 1 + slots), sum(g, {0})))
      results.push_back(value);
  if (update.input_gradient)
    results.push_back(reshape_like(matmul(g, kernel, {.transpose_b = true}), in[0]));
  if (update.sum_of_squares) results.push_back(sum(square(kernel)));
  return results;
}

int slots_of(const SgdAttrs& sgd) { return sgd.momentum > 0 ? 1 : 0; }

std::vector<Spec> infer_sgd(const InferArgs& args) {
  const auto& [sgd, update] = args.get<SgdDenseAttrs>();
  expect_momentum(args, sgd);
  return infer_update(args, update, slots_of(sgd));
}

Tensors sgd_dense_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& [sgd, update] = std::get<SgdDenseAttrs>(attrs);
  const auto step = [&, sgd = sgd](std::span<const Tensor> variables, const Tensor& gradient) {
    Tensors given{variables[0], gradient, in[2]};
    if (variables.size() > 1) given.push_back(variables[1]);
    return sgd_reference(given, sgd);
  };
  return update_reference(in, update, slots_of(sgd), step);
}

std::vector<Spec> infer_adam(const InferArgs& args) {
  return infer_update(args, args.get<AdamDenseAttrs>().update, 2);
}

Tensors adam_dense_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& [adam, update] = std::get<AdamDenseAttrs>(attrs);
  const auto step = [&, adam = adam](std::span<const Tensor> variables, const Tensor& gradient) {
    const Tensors given{variables[0], variables[1], variables[2], gradient, in[2]};
    return adam_reference(given, adam);
  };
  return update_reference(in, update, 2, step);
}

std::size_t update_workspace(std::span<const Spec> inputs, const Attrs&) {
  const Shape &x = inputs[0].shape, &kernel = inputs[kKernel].shape;
  const Dim rows = x.product(0, x.rank() - 1);
  return static_cast<std::size_t>(cpu::dense_update_scratch(rows, kernel[0], kernel[1])) *
         size_of(inputs[0].dtype);
}

Cost update_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  const bool input_gradient = !outputs.empty() && outputs[0].shape.rank() > 0;
  const auto weights = static_cast<double>(inputs[kKernel].shape.numel());
  const Shape& x = inputs[0].shape;
  const auto rows = static_cast<double>(x.product(0, x.rank() - 1));
  cost.flops = (input_gradient ? 4 : 2) * rows * weights;
  return cost;
}

/// x and g of `rows` rows, step size, kernel [k, n] and its slots; the second slot is positive.
std::vector<SampleInput> update_inputs(const Shape& rows, Dim k, Dim n, int slots, bool bias) {
  Shape x = rows, g = rows;
  x.push_back(k);
  g.push_back(n);
  std::vector<SampleInput> inputs{{x}, {g}, {{}, Domain::unit}};
  for (const Shape& variable : {Shape{k, n}, Shape{n}}) {
    for (int i = 0; i <= slots; ++i)
      inputs.push_back({variable, i == 2 ? Domain::positive : Domain::normal});
    if (!bias) break;
  }
  return inputs;
}

}  // namespace

constinit const OpDef op_dense{
    .name = "dense",
    .doc = "activation(x times a kernel plus a bias)",
    .dtypes = kFloating,
    .infer = infer_dense,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{2, 3}}, {{3, 4}}, {{4}}}, DenseAttrs{}},
              {{{{1, 40}}, {{40, 1}}}, DenseAttrs{Activation::relu}},
              {{{{5}}, {{5, 19}}, {{19}}}, DenseAttrs{Activation::tanh}},
              {{{{2, 5, 7}}, {{7, 2}}, {{2}}}, DenseAttrs{Activation::sigmoid}},
              {{{{20, 3}}, {{3, 4}}, {{4}}}, DenseAttrs{Activation::sigmoid}},
              {{{{3, 300}}, {{300, 50}}, {{50}}}, DenseAttrs{Activation::tanh}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{4, 5}, DType::float32}},
               DenseAttrs{},
               "x of shape (2, 3) with weight (4, 5); expected (.., k) and (k, n)"}};
        },
    .cost = multi_dense_cost,
    .reference = dense_reference,
    .workspace = [](std::span<const Spec> inputs,
                    const Attrs&) { return product_scratch(inputs[0], inputs[1]); },
};

constinit const OpDef op_multi_dense{
    .name = "multi_dense",
    .doc = "several dense layers on one x",
    .dtypes = kFloating,
    .infer = infer_multi_dense,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples =
        [] {
          const DenseMember plain{}, gate{Activation::sigmoid, true}, act{Activation::tanh, true};
          return std::vector<Sample>{
              {{{{2, 3}}, {{3, 4}}, {{3, 17}}, {{17}}}, MultiDenseAttrs{{plain, gate}}},
              {{{{1, 300}}, {{300, 50}}, {{50}}, {{300, 2}}, {{300, 41}}, {{41}}},
               MultiDenseAttrs{{act, plain, gate}}},
              {{{{18, 3}}, {{3, 4}}, {{3, 1}}, {{1}}}, MultiDenseAttrs{{plain, act}}},
              {{{{2, 3}}, {{3, 4}}, {{3, 4}}, {{3, 4}}, {{3, 4}}, {{3, 5}}},
               MultiDenseAttrs{{plain, plain, plain, plain, plain}}}};
        },
    .bad_samples =
        [] {
          const Spec x{{2, 3}, DType::float32}, kernel{{3, 4}, DType::float32};
          return std::vector<BadSample>{
              {{x, kernel, {{4, 3}, DType::float32}},
               MultiDenseAttrs{{{}, {}}},
               "x of shape (2, 3) with weight (4, 3)"},
              {{x, kernel}, MultiDenseAttrs{{{}, {}}}, "got 2 inputs; expected 3"}};
        },
    .cost = multi_dense_cost,
    .reference = multi_dense_reference,
    .workspace =
        [](std::span<const Spec> inputs, const Attrs& attrs) {
          const std::vector<int> kernels = kernels_of(std::get<MultiDenseAttrs>(attrs));
          std::size_t bytes = 0;
          for (std::size_t i = 0; i + 1 < kernels.size(); ++i)
            bytes += product_scratch(inputs[0], inputs[static_cast<std::size_t>(kernels[i])]);
          return bytes;
        },
};

constinit const OpDef op_sgd_dense_update{
    .name = "sgd_dense_update",
    .doc = "the backward pass of a dense layer and a step of SGD for its weights, in one pass",
    .dtypes = kFloating,
    .infer = infer_sgd,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples =
        [] {
          const SgdAttrs plain{}, momentum{.momentum = 0.9}, nesterov{0.9, true};
          const DenseUpdate all{0.1, true, true, true};
          return std::vector<Sample>{
              {update_inputs({2}, 3, 4, 0, false), SgdDenseAttrs{plain, {}}},
              {update_inputs({2, 2}, 17, 21, 0, true), SgdDenseAttrs{plain, all}},
              {update_inputs({1}, 300, 50, 1, true), SgdDenseAttrs{momentum, all}},
              {update_inputs({40}, 5, 6, 1, true), SgdDenseAttrs{nesterov, all}},
              {update_inputs({}, 20, 1, 1, false),
               SgdDenseAttrs{nesterov, {.input_gradient = true}}}};
        },
    .bad_samples =
        [] {
          const Spec x{{2, 3}, DType::float32}, g{{2, 4}, DType::float32}, rate{{}, DType::float32},
              kernel{{3, 4}, DType::float32};
          return std::vector<BadSample>{
              {{x, x, rate, kernel}, SgdDenseAttrs{}, "a cotangent of shape (2, 3)"},
              {{x, g, rate, kernel},
               SgdDenseAttrs{.sgd = {.momentum = 2}, .update = {}},
               "a momentum of 2"}};
        },
    .cost = update_cost,
    .mutates = input_bit(3) | input_bit(4) | input_bit(5) | input_bit(6),
    .reference = sgd_dense_reference,
    .workspace = update_workspace,
};

constinit const OpDef op_adam_dense_update{
    .name = "adam_dense_update",
    .doc = "the backward pass of a dense layer and a step of Adam for its weights, in one pass",
    .dtypes = kFloating,
    .infer = infer_adam,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples =
        [] {
          const DenseUpdate all{0.1, true, true, true};
          return std::vector<Sample>{
              {update_inputs({2}, 3, 4, 2, false), AdamDenseAttrs{}},
              {update_inputs({2, 1}, 17, 32, 2, true), AdamDenseAttrs{{}, all}},
              {update_inputs({3}, 300, 50, 2, true), AdamDenseAttrs{{}, all}},
              {update_inputs({3}, 50, 300, 2, false),
               AdamDenseAttrs{{}, {.decay = 0, .input_gradient = true}}},
              {update_inputs({12}, 21, 70, 2, true), AdamDenseAttrs{{}, all}},
              {update_inputs({40}, 300, 50, 2, true), AdamDenseAttrs{{}, all}},
              {update_inputs({3}, 21, 2, 2, true), AdamDenseAttrs{{}, all}},
              {update_inputs({3}, 21, 4, 2, true), AdamDenseAttrs{{}, all}},
              {update_inputs({1}, 3, 8, 2, true), AdamDenseAttrs{{0.8, 0.99, 1e-3}, all}},
              {update_inputs({9}, 30, 1, 2, false),
               AdamDenseAttrs{{}, {.input_gradient = true, .sum_of_squares = true}}}};
        },
    .bad_samples =
        [] {
          const Spec x{{2, 3}, DType::float32}, g{{2, 4}, DType::float32}, size{{}, DType::float64},
              kernel{{3, 4}, DType::float32};
          return std::vector<BadSample>{
              {{x, x, size, kernel, kernel, kernel},
               AdamDenseAttrs{},
               "a cotangent of shape (2, 3) for x (2, 3) and kernel (3, 4); expected (2, 4)"},
              {{x, g, size, kernel, kernel, g},
               AdamDenseAttrs{},
               "a slot float32 (2, 4) for a variable float32 (3, 4)"},
              {{x, g, size, kernel, kernel, kernel},
               AdamDenseAttrs{{}, {.bias = true}},
               "got 6 inputs; expected 9"}};
        },
    .cost = update_cost,
    .mutates =
        input_bit(3) | input_bit(4) | input_bit(5) | input_bit(6) | input_bit(7) | input_bit(8),
    .reference = adam_dense_reference,
    .workspace = update_workspace,
};

}  // namespace milgrad
