// The tiles of a matrix product and their calls of cblas.
#include "backends/cpu/gemm.h"

#include "backends/cpu/thread_pool.h"
#include "tensor/error.h"

#include <algorithm>
#include <limits>

#include <cblas.h>
#include <fmt/format.h>

namespace milgrad::cpu {
namespace {

/// A product of fewer multiply-adds is one call: cutting it would cost more than it gains.
constexpr std::int64_t kWholeProduct = std::int64_t{1} << 20;
// Every call packs its operands anew, so tiles grow with the result as long as there are many.
constexpr std::int64_t kFewestRows = 256;
constexpr std::int64_t kMostRows = 2048;
constexpr std::int64_t kManyTiles = 8;
constexpr std::int64_t kTileColumns = 512;
/// Inner dimensions above this are cut if the result has only a few tiles.
constexpr std::int64_t kPartLength = 2048;
constexpr std::int64_t kMaxParts = 16;
constexpr std::int64_t kFewTiles = 8;
/// Where the inner dimension gives this many parts of a result of at most this size, only it is
/// cut: a weight gradient over many rows.
constexpr std::int64_t kLongPart = 1024;
constexpr std::int64_t kLargestPartial = std::int64_t{1} << 20;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

void use_one_thread() {
  static const bool done = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

blasint checked(std::int64_t size) {
  if (size > std::numeric_limits<blasint>::max())
    throw ShapeError(fmt::format("[matmul] a size of {} is more than the BLAS library takes", size),
                     "multiply in parts");
  return static_cast<blasint>(size);
}

void call_blas(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k,
               const float* a, blasint lda, const float* b, blasint ldb, float beta, float* c,
               blasint ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
}
void call_blas(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k,
               const double* a, blasint lda, const double* b, blasint ldb, double beta, double* c,
               blasint ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, beta, c, ldc);
}

CBLAS_TRANSPOSE flag(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }

/// The part [row, row + rows) x [column, column + columns) of the result, over the inner positions
/// [first, first + length), written at `c` whose rows are `ldc` apart.
struct Tile {
  std::int64_t row, rows, column, columns, first, length;
};

template <class T>
void multiply_tile(const GemmSizes& s, const Tile& t, const T* a, const T* b, T* c,
                   std::int64_t ldc) {
  const T* a0 = s.transpose_a ? a + t.first * s.m + t.row : a + t.row * s.k + t.first;
  const T* b0 = s.transpose_b ? b + t.column * s.k + t.first : b + t.first * s.n + t.column;
  call_blas(flag(s.transpose_a), flag(s.transpose_b), checked(t.rows), checked(t.columns),
            checked(t.length), a0, checked(s.transpose_a ? s.m : s.k), b0,
            checked(s.transpose_b ? s.k : s.n), T(0), c, checked(ldc));
}

/// c = partials[0] + .. + partials[parts - 1], each `count` elements, added as a binary tree.
template <class T>
void add_tree(T* partials, std::int64_t parts, std::int64_t count, T* c) {
  parallel_ranges(count, parts, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t stride = 1; stride < parts; stride *= 2)
      for (std::int64_t i = 0; i + stride < parts; i += 2 * stride) {
        T* to = partials + i * count;
        const T* from = partials + (i + stride) * count;
        for (std::int64_t j = begin; j < end; ++j) to[j] += from[j];
      }
    std::copy(partials + begin, partials + end, c + begin);
  });
}

/// The length of equal pieces of `size` that are at most `largest` long: whole vectors each.
std::int64_t even_pieces(std::int64_t size, std::int64_t largest) {
  constexpr std::int64_t kVector = 16;
  if (size <= largest) return size;
  return divide_up(divide_up(size, divide_up(size, largest)), kVector) * kVector;
}

}  // namespace

GemmTiles gemm_tiles(const GemmSizes& s) {
  if (s.m * s.n * s.k <= kWholeProduct) return {s.m, s.n, 1, 1};
  if (s.k >= kFewTiles * kLongPart && s.m * s.n <= kLargestPartial) {
    const std::int64_t parts = s.k >= kMaxParts * kLongPart ? kMaxParts : kFewTiles;
    return {s.m, s.n, parts, parts};
  }
  const std::int64_t rows = std::clamp(s.m / kManyTiles, kFewestRows, kMostRows);
  GemmTiles tiles{even_pieces(s.m, rows), even_pieces(s.n, kTileColumns), 1, 0};
  tiles.count = divide_up(s.m, tiles.rows) * divide_up(s.n, tiles.columns);
  if (tiles.count < kFewTiles && s.k >= 2 * kPartLength)
    tiles.parts = std::min(kMaxParts, s.k / kPartLength);
  tiles.count *= tiles.parts;
  return tiles;
}

std::int64_t gemm_scratch(const GemmSizes& s) {
  const std::int64_t parts = gemm_tiles(s).parts;
  return parts == 1 ? 0 : parts * s.m * s.n;
}

template <class T>
void gemm(const GemmSizes& s, const T* a, const T* b, T* c, T* scratch, GemmEnd end) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) {
    std::fill_n(c, s.m * s.n, T{0});
    if (end.run != nullptr) end.run(end.data, {0, 0, s.m, s.n});
    return;
  }
  use_one_thread();
  const GemmTiles tiles = gemm_tiles(s);
  const std::int64_t across = divide_up(s.n, tiles.columns);
  const std::int64_t length = divide_up(s.k, tiles.parts);
  T* target = tiles.parts == 1 ? c : scratch;
  parallel_for(tiles.count, [&](std::int64_t i) {
    const std::int64_t part = i % tiles.parts, tile = i / tiles.parts;
    const std::int64_t row = tile / across * tiles.rows, column = tile % across * tiles.columns;
    const std::int64_t first = std::min(s.k, part * length);
    const Tile t{row,    std::min(tiles.rows, s.m - row),
                 column, std::min(tiles.columns, s.n - column),
                 first,  std::min(length, s.k - first)};
    multiply_tile(s, t, a, b, target + part * s.m * s.n + row * s.n + column, s.n);
    if (end.run != nullptr && tiles.parts == 1)
      end.run(end.data, {t.row, t.column, t.rows, t.columns});
  });
  if (tiles.parts == 1) return;
  add_tree(scratch, tiles.parts, s.m * s.n, c);
  if (end.run != nullptr)
    parallel_ranges(s.m, s.n, [&](std::int64_t first, std::int64_t last) {
      end.run(end.data, {first, 0, last - first, s.n});
    });
}

template <class T>
void gemm_block(const GemmSizes& s, const T* a, std::int64_t a_step, const T* b,
                std::int64_t b_step, T* c, std::int64_t c_step) {
  use_one_thread();
  call_blas(flag(s.transpose_a), flag(s.transpose_b), checked(s.m), checked(s.n), checked(s.k), a,
            checked(a_step), b, checked(b_step), s.accumulate ? T(1) : T(0), c, checked(c_step));
}

template void gemm(const GemmSizes&, const float*, const float*, float*, float*, GemmEnd);
template void gemm(const GemmSizes&, const double*, const double*, double*, double*, GemmEnd);
template void gemm_block(const GemmSizes&, const float*, std::int64_t, const float*, std::int64_t,
                         float*, std::int64_t);
template void gemm_block(const GemmSizes&, const double*, std::int64_t, const double*, std::int64_t,
                         double*, std::int64_t);

}  // namespace milgrad::cpu
