// Flatten.
#include "nn/layers/flatten.h"

#include "tensor/ops.h"

namespace milgrad::nn {

FlattenLayer::FlattenLayer(const LayerOptions& options) : Layer(options) {}

void FlattenLayer::check_inputs(const std::vector<Shape>& inputs) const {
  expect_one_input(inputs);
}

Tensors FlattenLayer::call(const Tensors& inputs, Mode) { return {flatten(inputs[0])}; }

Handle<FlattenLayer> Flatten(const LayerOptions& options) {
  return make_layer<FlattenLayer>(options);
}

}  // namespace milgrad::nn
