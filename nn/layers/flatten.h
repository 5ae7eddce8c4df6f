// Flatten: all axes but the samples' into one.
#pragma once

#include "nn/layer.h"

namespace milgrad::nn {

/// (N, a, b, ..) -> (N, a b ..), row-major; (N,) -> (N, 1).
class FlattenLayer final : public Layer {
 public:
  explicit FlattenLayer(const LayerOptions& options);
  std::string class_name() const override { return "Flatten"; }
  bool keeps_samples_apart() const override { return true; }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;
};

Handle<FlattenLayer> Flatten(const LayerOptions& options = {});

}  // namespace milgrad::nn
