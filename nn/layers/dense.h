// Dense: the fully connected layer.
#pragma once

#include "nn/activations.h"
#include "nn/layer.h"

namespace milgrad::nn {

struct DenseOptions {
  ActivationFunction activation = "linear";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform";
  Initializer bias_initializer = "zeros";
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
  std::string name = {};
  std::optional<DType> dtype = {};
  bool trainable = true;
};

/// activation(x K + b) over the last axis: (N, .., features) -> (N, .., units), with kernel
/// (features, units) and bias (units,).
class DenseLayer final : public Layer {
 public:
  DenseLayer(std::int64_t units, const DenseOptions& options);
  std::string class_name() const override { return "Dense"; }
  bool maps_last_axis() const override { return true; }
  bool keeps_samples_apart() const override { return options_.activation.is_named(); }

 protected:
  void build(const std::vector<Shape>& inputs) override;
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;

 private:
  std::int64_t units_;
  DenseOptions options_;
  Variable kernel_;
  Variable bias_;  // undefined without a bias
};

/// Throws ValueError unless units > 0.
Handle<DenseLayer> Dense(std::int64_t units, const DenseOptions& options = {});

}  // namespace milgrad::nn
