// Dense.
#include "nn/layers/dense.h"

#include "tensor/ops.h"

#include <fmt/format.h>

namespace milgrad::nn {

DenseLayer::DenseLayer(std::int64_t units, const DenseOptions& options)
    : Layer({.name = options.name, .dtype = options.dtype, .trainable = options.trainable}),
      units_(units),
      options_(options) {
  if (units <= 0) throw ValueError(fmt::format("[Dense] got {} units; expected at least 1", units));
}

void DenseLayer::check_inputs(const std::vector<Shape>& inputs) const {
  expect_one_input(inputs);
  const Shape& shape = inputs[0];
  if (shape.rank() < 2)
    throw ShapeError(fmt::format("[{}] got an input of shape {}; expected (N, .., features)",
                                 name(), shape.to_string()),
                     "put Flatten in front");
  if (kernel_.defined() && shape.back() != kernel_.shape()[0])
    throw ShapeError(fmt::format("[{}] got an input of shape {}; expected a last axis of {}",
                                 name(), shape.to_string(), dim_to_string(kernel_.shape()[0])),
                     "the kernel was built for the shape of the layer's first input");
}

void DenseLayer::build(const std::vector<Shape>& inputs) {
  check_inputs(inputs);
  kernel_ = add_weight({.name = "kernel",
                        .shape = {inputs[0].back(), units_},
                        .initializer = options_.kernel_initializer,
                        .regularizer = options_.kernel_regularizer});
  if (options_.use_bias)
    bias_ = add_weight({.name = "bias",
                        .shape = {units_},
                        .initializer = options_.bias_initializer,
                        .regularizer = options_.bias_regularizer});
}

Tensors DenseLayer::call(const Tensors& inputs, Mode) {
  const Tensor& x = inputs[0];
  return {options_.activation(bias_.defined() ? linear(x, kernel_, bias_) : linear(x, kernel_))};
}

Handle<DenseLayer> Dense(std::int64_t units, const DenseOptions& options) {
  return make_layer<DenseLayer>(units, options);
}

}  // namespace milgrad::nn
