// Reshape: another shape for each sample.
#pragma once

#include "nn/layer.h"

namespace milgrad::nn {

/// (N, ..) -> (N, target..), row-major. One size of the target may be -1: whatever is left.
class ReshapeLayer final : public Layer {
 public:
  ReshapeLayer(const Shape& target, const LayerOptions& options);
  std::string class_name() const override { return "Reshape"; }
  bool keeps_samples_apart() const override { return true; }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;

 private:
  Shape target_;
};

/// Throws ValueError for a size below -1 or two sizes of -1.
Handle<ReshapeLayer> Reshape(const Shape& target, const LayerOptions& options = {});

}  // namespace milgrad::nn
