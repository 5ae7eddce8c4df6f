// Class weights: how much a sample of each class counts in the training loss.
#pragma once

#include "tensor/tensor.h"

#include <cstdint>
#include <map>

namespace milgrad::nn {

/// Weight by class; a class that is missing counts 1.
using ClassWeights = std::map<std::int64_t, double>;

/// The weights total / (classes * count) that let every class count alike. Labels [n] or [n, 1],
/// whole numbers in 0 .. classes - 1. Throws ValueError if a class does not occur (all samples of
/// one class included), naming the counts.
ClassWeights compute_class_weights(const Tensor& labels, std::int64_t classes);

/// The weight of each sample, [n], in float32 or float64: labels as above or one-hot [n, classes].
Tensor sample_weights(const Tensor& labels, const ClassWeights& weights, DType dtype);

}  // namespace milgrad::nn
