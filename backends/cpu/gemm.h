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
  bool accumulate = false;  // add to c; gemm_block() alone
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

/// A rectangle of the result.
struct GemmPart {
  std::int64_t row = 0;
  std::int64_t column = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};
/// What is done to each finished part of the result while it is in the cache: run(data, part).
struct GemmEnd {
  void (*run)(const void* data, const GemmPart& part) = nullptr;
  const void* data = nullptr;
};

/// One product; `scratch` may be null if gemm_scratch() is 0. T is float or double.
template <class T>
void gemm(const GemmSizes& sizes, const T* a, const T* b, T* c, T* scratch, GemmEnd end = {});

/// c [m, n] = op(a) op(b) by one call of single-threaded BLAS; the rows of a, b and c are `a_step`,
/// `b_step` and `c_step` apart. m, n and k are at least 1.
template <class T>
void gemm_block(const GemmSizes& sizes, const T* a, std::int64_t a_step, const T* b,
                std::int64_t b_step, T* c, std::int64_t c_step);

}  // namespace milgrad::cpu
