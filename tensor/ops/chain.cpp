// Definition of the chain, and the same by the operations it is made of.
#include "tensor/chain.h"

#include "tensor/operators.h"
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {
namespace {

const Chain& chain_of(const Attrs& attrs) { return *std::get<ChainAttrs>(attrs).chain; }

/// The spec of each value, by the rules of the operations.
std::vector<Spec> infer_values(const InferArgs& args, const Chain& chain) {
  std::vector<Spec> values(args.inputs.begin(), args.inputs.end());
  int number = 0;
  for (const ChainInstruction& instruction : chain.parts().instructions) {
    std::vector<Spec> operands;
    for (int operand : instruction.operands)
      operands.push_back(values[static_cast<std::size_t>(operand)]);
    const OpDef& def = definition(instruction.op);
    try {
      values.push_back(def.infer.value({def.name.value, instruction.attrs, operands})[0]);
    } catch (const DTypeError& error) {
      throw DTypeError(fmt::format("[{}] instruction {}: {}", args.op, number, error.what()),
                       error.hint());
    } catch (const ShapeError& error) {
      throw ShapeError(fmt::format("[{}] instruction {}: {}", args.op, number, error.what()),
                       error.hint());
    }
    ++number;
  }
  return values;
}

/// Everything but bools and inputs that are cast has the one dtype of the chain.
void check_dtypes(const InferArgs& args, const Chain& chain, const std::vector<Spec>& values) {
  const DType dtype = chain.dtype(args.inputs);
  const auto refuse = [&](int value, const Spec& spec) {
    throw DTypeError(
        fmt::format("[{}] value {} is {}; expected float32 or float64, the same in all the chain",
                    args.op, value, spec.to_string()),
        "bools may be compared, chosen by and cast; other inputs may only be cast");
  };
  const auto& instructions = chain.parts().instructions;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const ChainInstruction& instruction = instructions[i];
    const int own = chain.parts().inputs + static_cast<int>(i);
    const Spec& result = values[static_cast<std::size_t>(own)];
    if (result.dtype != DType::boolean && result.dtype != dtype) refuse(own, result);
    const bool cast = instruction.op == Op::cast && result.dtype != DType::boolean;
    const bool logic = instruction.op == Op::logical_not || instruction.op == Op::logical_and ||
                       instruction.op == Op::logical_or || instruction.op == Op::logical_xor;
    for (std::size_t k = 0; k < instruction.operands.size(); ++k) {
      const int operand = instruction.operands[k];
      const Spec& spec = values[static_cast<std::size_t>(operand)];
      const bool takes_bool = cast || logic || (instruction.op == Op::where && k == 0);
      const bool fits = spec.dtype == dtype || (spec.dtype == DType::boolean && takes_bool) ||
                        (cast && operand < chain.parts().inputs);
      if (!fits || !is_floating(dtype)) refuse(operand, spec);
    }
  }
}

Shape chain_shape(const InferArgs& args) {
  Shape shape = args.shape(0);
  for (int i = 1; i < args.count(); ++i) shape = broadcast_shapes(args.op, shape, args.shape(i));
  return shape;
}

/// The axes of the sums are all in front of the others or all behind them, sizes of 1 aside.
void check_axes(const InferArgs& args, const Shape& shape, const Axes& axes) {
  int turns = 0, last = -1;
  for (Dim axis : axes)
    if (axis < 0 || axis >= shape.rank())
      throw ShapeError(fmt::format("[{}] axis {} is out of range for shape {}", args.op, axis,
                                   shape.to_string()));
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    const int summed = std::find(axes.begin(), axes.end(), axis) != axes.end();
    turns += last >= 0 && summed != last;
    last = summed;
  }
  if (turns > 1)
    throw ShapeError(fmt::format("[{}] axes {} of shape {}; expected the first or the last ones",
                                 args.op, axes.to_string(), shape.to_string()));
}

std::vector<Spec> infer_chain(const InferArgs& args) {
  const Chain& chain = chain_of(args.attrs);
  const ChainParts& parts = chain.parts();
  expect_inputs(args, parts.inputs);
  const std::vector<Spec> values = infer_values(args, chain);
  check_dtypes(args, chain, values);
  const Shape shape = chain_shape(args);
  std::vector<Spec> outputs;
  for (const ChainResult& result : parts.results) {
    const Spec& spec = values[static_cast<std::size_t>(result.value)];
    if (!(spec.shape == shape))
      throw ShapeError(fmt::format("[{}] value {} is {}; expected the shape {} of the chain",
                                   args.op, result.value, spec.to_string(), shape.to_string()));
    if (result.summed) check_axes(args, shape, parts.sum.axes);
    outputs.push_back({result.summed ? reduced_shape(shape, parts.sum) : shape, spec.dtype});
  }
  return outputs;
}

/// Kernels sum columns of tall matrices in parts, which stand here until they are added.
std::size_t chain_workspace(std::span<const Spec> inputs, const Attrs& attrs) {
  const Chain& chain = chain_of(attrs);
  if (chain.program().sums.empty()) return 0;
  Shape shape = inputs[0].shape;
  for (const Spec& spec : inputs) shape = broadcast_shapes("chain", shape, spec.shape);
  const std::int64_t columns = reduced_shape(shape, chain.parts().sum).numel();
  if (columns > ChainProgram::kMostColumns) return 0;
  return static_cast<std::size_t>(ChainProgram::kColumnParts * columns) * sizeof(double) *
         chain.program().sums.size();
}

Tensors chain_reference(std::span<const Tensor> inputs, const Attrs& attrs) {
  const ChainParts& parts = chain_of(attrs).parts();
  Tensors values(inputs.begin(), inputs.end());
  for (const ChainInstruction& instruction : parts.instructions) {
    Tensors operands;
    for (int operand : instruction.operands)
      operands.push_back(values[static_cast<std::size_t>(operand)]);
    values.push_back(apply_one(instruction.op, instruction.attrs, operands));
  }
  Tensors results;
  for (const ChainResult& result : parts.results) {
    const Tensor& value = values[static_cast<std::size_t>(result.value)];
    results.push_back(result.summed ? sum(value, parts.sum.axes, parts.sum.keep_dims) : value);
  }
  return results;
}

Cost chain_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
  const Chain& chain = chain_of(attrs);
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  Shape shape = inputs[0].shape;
  for (const Spec& spec : inputs) shape = broadcast_shapes("chain", shape, spec.shape);
  const Spec value{shape, chain.dtype(inputs)};
  for (const ChainInstruction& instruction : chain.parts().instructions)
    cost.flops += definition(instruction.op)
                      .cost.value({}, std::span<const Spec>(&value, 1), instruction.attrs)
                      .flops;
  return cost;
}

using Domain = SampleInput::Domain;

Attrs attrs_of(ChainParts parts) {
  return ChainAttrs{std::make_shared<const Chain>(std::move(parts))};
}

/// tanh(a) * sigmoid(b) and its product with c; a mask; numbers out of bools.
Attrs gate_sample() {
  return attrs_of({.inputs = 3,
                   .instructions = {{Op::tanh, {}, {0}},
                                    {Op::sigmoid, {}, {1}},
                                    {Op::mul, {}, {3, 4}},
                                    {Op::mul, {}, {5, 2}}},
                   .results = {{6}, {5}}});
}
Attrs choice_sample() {
  return attrs_of({.inputs = 3,
                   .instructions = {{Op::greater, {}, {0, 1}},
                                    {Op::logical_and, {}, {3, 2}},
                                    {Op::where, {}, {4, 0, 1}},
                                    {Op::clip, NumberAttrs{-0.5, 0.5}, {5}},
                                    {Op::logical_not, {}, {4}}},
                   .results = {{6}, {4}, {7}}});
}
Attrs sum_sample(ReduceAttrs sum) {
  return attrs_of(
      {.inputs = 2,
       .instructions = {{Op::sub, {}, {0, 1}}, {Op::square, {}, {2}}, {Op::mul, {}, {3, 1}}},
       .results = {{3, true}, {2}, {4, true}},
       .sum = sum});
}

std::vector<Sample> chain_samples() {
  return {
      {.inputs = {{{2, 3}}, {{2, 3}}, {{2, 3}}}, .attrs = gate_sample()},
      {.inputs = {{{4, 1}}, {{4, 7}}, {{7}}}, .attrs = gate_sample()},
      {.inputs = {{{1, 3}}, {{}}, {{1}}}, .attrs = gate_sample()},
      {.inputs = {{{2, 19}}, {{}}, {{2, 1}, Domain::boolean}}, .attrs = choice_sample()},
      {.inputs = {{{2, 3, 5}}, {{5}}}, .attrs = sum_sample({.axes = {2}, .keep_dims = true})},
      {.inputs = {{{2, 3, 5}}, {{3, 1}}}, .attrs = sum_sample({.axes = {0, 1, 2}})},
      {.inputs = {{{2, 1, 5}}, {{5}}}, .attrs = sum_sample({.axes = {0, 1}})},
  };
}

std::vector<BadSample> chain_bad_samples() {
  const Spec number{Shape{2, 3}, DType::float32};
  const ReduceAttrs middle{.axes = {1}};
  const Spec cube{Shape{2, 3, 5}, DType::float32};
  return {{{number, number}, gate_sample(), "got 2 inputs; expected 3"},
          {{number, {Shape{4}, DType::float32}, number},
           gate_sample(),
           "shapes (2, 3) and (4,) do not broadcast"},
          {{number, {Shape{3}, DType::float64}, number},
           gate_sample(),
           "input 1 is float64 (3,) but input 0 is float32 (2, 3)"},
          {{number, number, number}, choice_sample(), "input 1 is float32 (2, 3)"},
          {{cube, number}, sum_sample(middle), "do not broadcast"},
          {{cube, cube}, sum_sample(middle), "axes (1,) of shape (2, 3, 5)"},
          {{{Shape{2, 1}, DType::float32}, {Shape{2, 1}, DType::float32}, cube},
           gate_sample(),
           "do not broadcast"}};
}

}  // namespace

constinit const OpDef op_chain{
    .name = "chain",
    .doc = "elementwise operations, and sums of their results, in one pass over small tiles",
    .dtypes = kFloating,
    .infer = infer_chain,
    .vjp = not_differentiable(kOnlyInPrograms),
    .saves = kSavesNothing,
    .samples = chain_samples,
    .bad_samples = chain_bad_samples,
    .cost = chain_cost,
    .in_place = true,
    .reference = chain_reference,
    .workspace = chain_workspace,
};

Tensors chain(const std::shared_ptr<const Chain>& parts, std::span<const Tensor> inputs) {
  return apply(Op::chain, ChainAttrs{parts}, inputs);
}

}  // namespace milgrad
