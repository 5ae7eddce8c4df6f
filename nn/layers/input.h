// Input: where a model's data comes in.
#pragma once

#include "nn/layer.h"

namespace milgrad::nn {

struct InputOptions {
  std::string name = {};
  /// floatx() unless given; any dtype. What a model is fed is cast to it.
  std::optional<DType> dtype = {};
};

/// The layer behind Input(); it computes nothing.
class InputLayer final : public Layer {
 public:
  explicit InputLayer(const InputOptions& options);
  std::string class_name() const override { return "InputLayer"; }
  bool keeps_samples_apart() const override { return true; }
  /// The symbolic input (N, sample_shape..).
  SymbolicTensor tensor(const Shape& sample_shape);

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;

 private:
  DType input_dtype_;
};

/// A model input: `shape` is that of one sample, so Input({28, 28}) is (N, 28, 28). Throws
/// ShapeError for a negative size.
SymbolicTensor Input(const Shape& shape, const InputOptions& options = {});

}  // namespace milgrad::nn
