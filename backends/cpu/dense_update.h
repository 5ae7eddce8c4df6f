// The backward pass of a dense layer and the update of its weights, in one pass over them: what the
// kernels and the definitions of the operations share.
#pragma once

#include "backends/cpu/dense.h"

#include <algorithm>
#include <cstdint>

namespace milgrad::cpu {

/// For more rows of x, OpenBLAS's products are worth a gradient in memory, of blocks of weights.
inline constexpr std::int64_t kMostTileRows = 32;
/// Rows of the weights in a block whose gradient stays in the cache.
constexpr std::int64_t rows_of_block(std::int64_t n) {
  constexpr std::int64_t kElements = 32768, kRows = 16;
  return std::max(kRows, kElements / n / kRows * kRows);
}
/// Elements of scratch memory for m rows of x and weights [k, n].
constexpr std::int64_t dense_update_scratch(std::int64_t m, std::int64_t k, std::int64_t n) {
  if (m <= kMostTileRows || n == 0) return 0;
  return row_parts(k, n) * rows_of_block(n) * n;
}

}  // namespace milgrad::cpu
