// Dense layers: products of a matrix of inputs with weight matrices, biases and activations. Few
// rows of inputs go over the weights' row parts; more go through the tiles of gemm.h.
#pragma once

#include "tensor/attrs.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace milgrad::cpu {

/// The rows of a large weight matrix [k, n] are cut into parts that depend on its shape alone: each
/// thread owns contiguous ones, in every kernel that reads or updates the matrix. One part: the
/// matrix stays with the calling thread, which has read it before another has begun.
inline constexpr std::int64_t kMostRowParts = 4;
constexpr std::int64_t row_parts(std::int64_t k, std::int64_t n) {
  constexpr std::int64_t kTwoParts = 12'000, kFourParts = 60'000;  // weights
  return k * n >= kFourParts ? kMostRowParts : k * n >= kTwoParts ? 2 : 1;
}
/// Part i of `parts` is rows row_part(k, parts, i) .. row_part(k, parts, i + 1) - 1, a whole number
/// of vectors for all parts but the last.
constexpr std::int64_t row_part(std::int64_t k, std::int64_t parts, std::int64_t i) {
  constexpr std::int64_t kRows = 16;
  return i == parts ? k : std::min(k, (k * i / parts + kRows / 2) / kRows * kRows);
}

/// Up to so many rows of inputs stream the weights through registers; more are products by
/// OpenBLAS.
inline constexpr std::int64_t kStreamedRows = 16;
/// Up to so many, the row parts of the weights are multiplied by the threads that own them:
/// fetching them from another core would take longer than the product.
inline constexpr std::int64_t kOwnedRows = 64;

/// y [m, n] = activation(x [m, k] weights [k, n] + bias [n])
template <class T>
struct DenseProduct {
  const T* weights = nullptr;
  const T* bias = nullptr;  // or null
  T* y = nullptr;
  std::int64_t n = 0;
  Activation activation = Activation::none;
};

/// Elements of scratch memory for one product.
std::int64_t dense_scratch(std::int64_t m, std::int64_t k, std::int64_t n);

/// Several products with the same x. `scratch` holds what dense_scratch() says for each in turn.
template <class T>
struct DenseProducts {
  static constexpr int kMost = 4;
  const T* x = nullptr;
  std::int64_t m = 0;
  std::int64_t k = 0;
  T* scratch = nullptr;
  int count = 0;
  std::array<DenseProduct<T>, kMost> products;
};
void dense_products(const DenseProducts<float>& d);
void dense_products(const DenseProducts<double>& d);

}  // namespace milgrad::cpu
