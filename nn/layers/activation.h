// Activation: an activation function as a layer.
#pragma once

#include "nn/activations.h"
#include "nn/layer.h"

namespace milgrad::nn {

class ActivationLayer final : public Layer {
 public:
  ActivationLayer(ActivationFunction function, const LayerOptions& options);
  std::string class_name() const override { return "Activation"; }
  bool keeps_samples_apart() const override { return function_.is_named(); }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;

 private:
  ActivationFunction function_;
};

/// Activation("relu")
Handle<ActivationLayer> Activation(const ActivationFunction& function,
                                   const LayerOptions& options = {});

}  // namespace milgrad::nn
