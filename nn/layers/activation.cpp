// Activation.
#include "nn/layers/activation.h"

#include <utility>

namespace milgrad::nn {

ActivationLayer::ActivationLayer(ActivationFunction function, const LayerOptions& options)
    : Layer(options), function_(std::move(function)) {}

void ActivationLayer::check_inputs(const std::vector<Shape>& inputs) const {
  expect_one_input(inputs);
}

Tensors ActivationLayer::call(const Tensors& inputs, Mode) { return {function_(inputs[0])}; }

Handle<ActivationLayer> Activation(const ActivationFunction& function,
                                   const LayerOptions& options) {
  return make_layer<ActivationLayer>(function, options);
}

}  // namespace milgrad::nn
