// Matrix products in tiles that depend on the sizes alone, each computed by single-threaded
// OpenBLAS: the thread count decides who computes a tile, never which tiles exist.
#pragma once

#include <cstddef>
#include <cstdint>

namespace milgrad::cpu {

/// c [m, n] = op(a) op(b), row-major and contiguous; op(a) is [m, k], op(b) is [k, n], and op
/// transposes where the flag is set. With k = 0 the product is zero.
struct GemmSizes {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
};

/// How one product is cut. A long inner dimension with a small result becomes `parts` partial sums
/// that are added in a fixed order.
struct GemmTiles {
  std::int64_t rows = 0;     // of a tile
  std::int64_t columns = 0;  // of a tile
  std::int64_t parts = 1;
  std::int64_t count = 0;  // tiles of the result, times parts
};
GemmTiles gemm_tiles(const GemmSizes& sizes);

/// Elements of scratch memory for the partial sums of one product.
std::int64_t gemm_scratch(const GemmSizes& sizes);

/// One product; `scratch` may be null if gemm_scratch() is 0. T is float or double.
template <class T>
void gemm(const GemmSizes& sizes, const T* a, const T* b, T* c, T* scratch);

}  // namespace milgrad::cpu
