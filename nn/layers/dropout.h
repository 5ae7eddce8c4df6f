// Dropout: randomly zeroed elements while training.
#pragma once

#include "nn/initializers.h"
#include "nn/layer.h"
#include "tensor/random.h"

namespace milgrad::nn {

struct DropoutOptions {
  /// next_seed() unless given.
  Seed seed = {};
  std::string name = {};
  std::optional<DType> dtype = {};
};

/// While training sets each element to 0 with probability `rate` and divides the others by
/// 1 - rate; otherwise the identity. (Srivastava et al. 2014.) Its random state is no weight.
class DropoutLayer final : public Layer {
 public:
  DropoutLayer(double rate, const DropoutOptions& options);
  std::string class_name() const override { return "Dropout"; }
  bool keeps_samples_apart() const override { return true; }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;

 private:
  double rate_;
  RandomGenerator generator_;
};

/// Throws ValueError unless 0 <= rate <= 1.
Handle<DropoutLayer> Dropout(double rate, const DropoutOptions& options = {});

}  // namespace milgrad::nn
