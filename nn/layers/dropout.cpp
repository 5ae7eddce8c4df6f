// Dropout.
#include "nn/layers/dropout.h"

#include "nn/seed.h"
#include "tensor/ops.h"

#include <fmt/format.h>

namespace milgrad::nn {

DropoutLayer::DropoutLayer(double rate, const DropoutOptions& options)
    : Layer({.name = options.name, .dtype = options.dtype}),
      rate_(rate),
      generator_(options.seed ? *options.seed : next_seed()) {
  if (!(rate >= 0 && rate <= 1))
    throw ValueError(fmt::format("[Dropout] got the rate {}; expected a number in [0, 1]", rate));
}

void DropoutLayer::check_inputs(const std::vector<Shape>& inputs) const {
  expect_one_input(inputs);
}

Tensors DropoutLayer::call(const Tensors& inputs, Mode mode) {
  if (mode == Mode::infer || rate_ == 0) return inputs;
  return {dropout(inputs[0], generator_.next_key(), rate_)};
}

Handle<DropoutLayer> Dropout(double rate, const DropoutOptions& options) {
  return make_layer<DropoutLayer>(rate, options);
}

}  // namespace milgrad::nn
