// Tensors for the samples of operations.
#pragma once

#include "tensor/op.h"

#include <cstdint>

namespace milgrad::test {

/// Fills a sample input by its domain: float64 where the domain is a real one, else bool or int64.
/// The same (input, seed) gives the same numbers.
Tensor sample_tensor(const SampleInput& input, std::uint64_t seed);
Tensors sample_tensors(const Sample& sample, std::uint64_t seed);

/// The same values in another dtype, rounded for integers; host code, so that no tested operation
/// takes part.
Tensor converted(const Tensor& x, DType dtype);

/// |a - b| relative to the largest |b| (at least 1); NaN equals NaN, infinity itself.
double largest_difference(const Tensor& a, const Tensor& b);

}  // namespace milgrad::test
