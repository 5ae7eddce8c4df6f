// Compares gradient rules with central differences in float64.
#pragma once

#include "tensor/tensor.h"

#include <functional>
#include <string>

namespace milgrad {

using TensorFunction = std::function<Tensors(const Tensors&)>;

struct GradcheckOptions {
  int order = 2;            // 2 also checks the gradient of the gradient
  double tolerance = 1e-6;  // on |exact - numeric| / max(1, |exact|)
  std::uint64_t seed = 1;   // of the random directions
};

struct GradcheckResult {
  bool ok = true;
  double worst_error = 0;
  std::string message;  // which order and input failed, by how much; empty if none
};

/// Checks f at `inputs` along random directions: for every floating input, the projection of the
/// derivative against central differences at two step sizes. Inputs must be float64 or not floating
/// at all; those listed in `fixed` are not differentiated.
/// Throws DTypeError for float32 inputs, and whatever f throws.
GradcheckResult gradcheck(const TensorFunction& f, const Tensors& inputs,
                          const GradcheckOptions& options = {}, const std::vector<int>& fixed = {});

}  // namespace milgrad
