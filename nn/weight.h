// Weight: a layer's variable with its name, its penalty and whether it is trained.
#pragma once

#include "nn/initializers.h"
#include "nn/regularizers.h"
#include "tensor/variable.h"

#include <optional>
#include <string>

namespace milgrad::nn {

/// What a layer asks for in build().
struct WeightOptions {
  std::string name;
  Shape shape;
  Initializer initializer = "glorot_uniform";
  Regularizer regularizer = {};
  bool trainable = true;
  /// The layer's dtype unless given.
  std::optional<DType> dtype = {};
};

/// A variable as models, optimizers and files see it. Copies share the variable.
struct Weight {
  Variable variable;
  std::string name;         // "kernel"
  std::string path;         // "dense/kernel"
  Regularizer regularizer;  // empty: none
  bool trainable = true;    // as the layer made it; a frozen layer's weights are not trained either
};

}  // namespace milgrad::nn
