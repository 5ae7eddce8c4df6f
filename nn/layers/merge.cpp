// Add, Multiply, Concatenate.
#include "nn/layers/merge.h"

#include "tensor/ops.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

void check_merged(const std::string& layer, const std::vector<Shape>& inputs) {
  if (inputs.size() < 2)
    throw ValueError(fmt::format("[{}] got {} tensor{}; expected a list of at least two", layer,
                                 inputs.size(), inputs.size() == 1 ? "" : "s"));
  for (const Shape& shape : inputs)
    if (shape.rank() == 0 || shape[0] != inputs[0][0])
      throw ShapeError(fmt::format("[{}] got shapes {} and {}, which differ in the number of "
                                   "samples",
                                   layer, inputs[0].to_string(), shape.to_string()),
                       "the leading axis does not broadcast");
}

/// The left fold of a binary operation; lower ranks get axes of size 1 behind the samples'.
Tensors fold(const Tensors& inputs, Tensor (*combine)(const Tensor&, const Tensor&)) {
  int rank = 0;
  for (const Tensor& x : inputs) rank = std::max(rank, x.rank());
  const auto widen = [rank](Tensor x) {
    while (x.rank() < rank) x = expand_dims(x, {1});
    return x;
  };
  Tensor result = widen(inputs[0]);
  for (std::size_t i = 1; i < inputs.size(); ++i) result = combine(result, widen(inputs[i]));
  return {result};
}

}  // namespace

AddLayer::AddLayer(const LayerOptions& options) : Layer(options) {}
void AddLayer::check_inputs(const std::vector<Shape>& inputs) const {
  check_merged(name(), inputs);
}
Tensors AddLayer::call(const Tensors& inputs, Mode) { return fold(inputs, milgrad::add); }

MultiplyLayer::MultiplyLayer(const LayerOptions& options) : Layer(options) {}
void MultiplyLayer::check_inputs(const std::vector<Shape>& inputs) const {
  check_merged(name(), inputs);
}
Tensors MultiplyLayer::call(const Tensors& inputs, Mode) { return fold(inputs, milgrad::mul); }

ConcatenateLayer::ConcatenateLayer(const ConcatenateOptions& options)
    : Layer({.name = options.name, .dtype = options.dtype}), axis_(options.axis) {}
Tensors ConcatenateLayer::call(const Tensors& inputs, Mode) { return {concat(inputs, axis_)}; }

Handle<AddLayer> Add(const LayerOptions& options) { return make_layer<AddLayer>(options); }
Handle<MultiplyLayer> Multiply(const LayerOptions& options) {
  return make_layer<MultiplyLayer>(options);
}
Handle<ConcatenateLayer> Concatenate(const ConcatenateOptions& options) {
  return make_layer<ConcatenateLayer>(options);
}

SymbolicTensor add(const SymbolicTensors& inputs, const LayerOptions& options) {
  return Add(options)(OneOrMany<SymbolicTensor>(inputs)).one();
}
SymbolicTensor multiply(const SymbolicTensors& inputs, const LayerOptions& options) {
  return Multiply(options)(OneOrMany<SymbolicTensor>(inputs)).one();
}
SymbolicTensor concatenate(const SymbolicTensors& inputs, const ConcatenateOptions& options) {
  return Concatenate(options)(OneOrMany<SymbolicTensor>(inputs)).one();
}

}  // namespace milgrad::nn
