// Input.
#include "nn/layers/input.h"

namespace milgrad::nn {

InputLayer::InputLayer(const InputOptions& options)
    : Layer({.name = options.name}), input_dtype_(options.dtype.value_or(floatx())) {}

Tensors InputLayer::call(const Tensors& inputs, Mode) { return inputs; }

SymbolicTensor InputLayer::tensor(const Shape& sample_shape) {
  Shape shape = sample_shape;
  shape.insert(0, batch_size_symbol());
  return add_call({.layer = shared_from_this(), .outputs = {{shape, input_dtype_}}})[0];
}

SymbolicTensor Input(const Shape& shape, const InputOptions& options) {
  for (Dim size : shape)
    if (size < 0)
      throw ShapeError("[Input] got the shape " + shape.to_string() + "; expected sizes >= 0",
                       "give the shape of one sample: the number of samples is not part of it");
  return make_layer<InputLayer>(options)->tensor(shape);
}

}  // namespace milgrad::nn
