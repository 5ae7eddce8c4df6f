// Dense layers with few rows: y = activation(x w + b) streams the weights once through registers
// that hold a tile of y. Compiled once per SIMD target.
//
// A large weight matrix is cut into row parts (dense.h); each gives a partial y, and these are
// added as a tree. So the bits of y do not depend on who computes a part. For somewhat more rows a
// part's product is one of OpenBLAS.
#include "backends/cpu/dense.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/dense.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/gemm.h"
#include "backends/cpu/simd_memory.h"
#include "backends/cpu/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// What one register tile computes: rows of x by columns of the weights, over `k` positions.
template <class T>
struct Tile {
  const T* x;
  std::int64_t x_step;
  const T* weights;
  std::int64_t n;  // columns of the whole matrix
  std::int64_t k;
  T* y;
  std::int64_t last;  // columns of the last vector
};

/// Vectors per row that leave room for accumulators, by the number of rows.
#if HWY_MAX_BYTES == 64
constexpr int kMostVectors[] = {0, 8, 8, 8, 6, 5, 4, 3, 3};
#else
constexpr int kMostVectors[] = {0, 8, 6, 4, 2};
#endif
constexpr int kMostRows = static_cast<int>(std::size(kMostVectors)) - 1;

template <class T, int rows, int vectors, bool kWhole>
HWY_NOINLINE void multiply_tile(Tile<T> t) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  using D = hn::ScalableTag<T>;
  const D d;
  const std::conditional_t<kWhole, AllLanes, FirstLanes<D>> last(t.last);
  hn::Vec<D> sum[rows][vectors];
  each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
    each<vectors>([&](auto j) MILGRAD_INLINE_LAMBDA { sum[i][j] = hn::Zero(d); });
  });
  for (std::int64_t k = 0; k < t.k; ++k, t.weights += t.n) {
    hn::Vec<D> x[rows];
    each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA { x[i] = hn::Set(d, t.x[i * t.x_step + k]); });
    each<vectors>([&](auto j) MILGRAD_INLINE_LAMBDA {
      const T* from = t.weights + j * kLanes;
      const auto w = in_register(j + 1 == vectors ? last.load(d, from) : hn::LoadU(d, from));
      each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA { sum[i][j] = hn::MulAdd(x[i], w, sum[i][j]); });
    });
  }
  each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
    T* y = t.y + i * t.n;
    each<vectors - 1>([&](auto j)
                          MILGRAD_INLINE_LAMBDA { hn::StoreU(sum[i][j], d, y + j * kLanes); });
    last.store(sum[i][vectors - 1], d, y + (vectors - 1) * kLanes);
  });
}

template <class T>
using TileKernel = void (*)(Tile<T>);

/// The kernels by rows and vectors, where the last vector is whole or not; float64 is for checking
/// and does with the general ones.
template <class T>
class TileKernels {
 public:
  constexpr TileKernels() { fill_all(std::make_integer_sequence<int, kMostRows>()); }
  TileKernel<T> find(bool whole, std::int64_t rows, std::int64_t vectors) const {
    return kernels_[whole][rows - 1][vectors - 1];
  }

 private:
  template <int... rows>
  constexpr void fill_all(std::integer_sequence<int, rows...>) {
    (fill<rows + 1>(std::make_integer_sequence<int, kMostVectors[rows + 1]>()), ...);
  }
  template <int rows, int... vectors>
  constexpr void fill(std::integer_sequence<int, vectors...>) {
    ((kernels_[0][rows - 1][vectors] = multiply_tile<T, rows, vectors + 1, false>), ...);
    constexpr bool kWhole = std::is_same_v<T, float>;
    ((kernels_[1][rows - 1][vectors] = multiply_tile<T, rows, vectors + 1, kWhole>), ...);
  }
  TileKernel<T> kernels_[2][kMostRows][kMostVectors[1]] = {};
};

/// y [m, n] = x w over `t.k` positions: tiles of equal height and width.
template <class T>
void multiply(Tile<T> t, std::int64_t m) {
  static constexpr TileKernels<T> kKernels;
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const std::int64_t vectors = (t.n + kLanes - 1) / kLanes;
  for (std::int64_t tiles = (m + kMostRows - 1) / kMostRows; tiles > 0; --tiles) {
    const std::int64_t rows = m / tiles;
    const std::int64_t most = kMostVectors[rows];
    Tile<T> panel = t;
    std::int64_t left = vectors;
    for (std::int64_t panels = (vectors + most - 1) / most; panels > 0; --panels) {
      const std::int64_t width = left / panels;
      panel.last = std::min(kLanes, t.n - (panel.weights - t.weights) - (width - 1) * kLanes);
      kKernels.find(panel.last == kLanes, rows, width)(panel);
      panel.weights += width * kLanes;
      panel.y += width * kLanes;
      left -= width;
    }
    t.x += rows * t.x_step;
    t.y += rows * t.n;
    m -= rows;
  }
}

/// The same for n = 1, 2, 4, .. columns, fewer than a vector has lanes: the weights are one flat
/// row of vectors, each holding several of their rows.
template <class T, int n, int rows>
HWY_NOINLINE void multiply_narrow_tile(Tile<T> t) {
  using D = hn::ScalableTag<T>;
  constexpr std::int64_t kLanes = HWY_LANES(T), kAtOnce = kLanes / n;
  const D d;
  const auto repeat = lane_indices(d, [](int lane) { return lane / n; });
  hn::Vec<D> sum[rows][2];
  each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA { sum[i][0] = sum[i][1] = hn::Zero(d); });
  const auto step = [&](std::int64_t k, auto half, const auto& x_lanes, const auto& w_lanes)
                        MILGRAD_INLINE_LAMBDA {
                          const auto w = in_register(w_lanes.load(d, t.weights + k * n));
                          each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
                            auto x = x_lanes.load(d, t.x + i * t.x_step + k);
                            if constexpr (n > 1) x = hn::TableLookupLanes(x, repeat);
                            sum[i][half] = hn::MulAdd(x, w, sum[i][half]);
                          });
                        };
  const std::integral_constant<int, 0> even;
  const std::integral_constant<int, 1> odd;
  const std::conditional_t<n == 1, AllLanes, FirstLanes<D>> some(kAtOnce);
  std::int64_t k = 0;
  for (; k + 2 * kAtOnce <= t.k; k += 2 * kAtOnce) {
    step(k, even, some, AllLanes{});
    step(k + kAtOnce, odd, some, AllLanes{});
  }
  for (; k < t.k; k += kAtOnce) {
    const std::int64_t count = std::min(kAtOnce, t.k - k);
    step(k, even, FirstLanes<D>(count), FirstLanes<D>(count * n));
  }
  each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
    store_first(sum_by_column<n>(d, hn::Add(sum[i][0], sum[i][1])), d, t.y + i * n, n);
  });
}

template <class T, int n>
void multiply_narrow(Tile<T> t, std::int64_t m) {
  if constexpr (n < HWY_LANES(T)) {
    constexpr int kRows = 4;
    const auto advance = [&](std::int64_t rows) {
      t.x += rows * t.x_step;
      t.y += rows * n;
      m -= rows;
    };
    for (; m >= kRows; advance(kRows)) multiply_narrow_tile<T, n, kRows>(t);
    if (m == 3) return multiply_narrow_tile<T, n, 3>(t);
    if (m == 2) return multiply_narrow_tile<T, n, 2>(t);
    if (m == 1) multiply_narrow_tile<T, n, 1>(t);
  }
}

template <class T>
void multiply_rows(const DenseProducts<T>& d, const DenseProduct<T>& p, std::int64_t first,
                   std::int64_t last, T* y) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const Tile<T> tile{d.x + first, d.k, p.weights + first * p.n, p.n, last - first, y, 0};
  if (d.m > kStreamedRows && p.n > 0 && last > first)
    return gemm_block<T>({.m = d.m, .n = p.n, .k = tile.k}, tile.x, d.k, tile.weights, p.n, y, p.n);
  if (p.n >= kLanes) return multiply(tile, d.m);
  switch (p.n) {
    case 0:
      return;
    case 1:
      return multiply_narrow<T, 1>(tile, d.m);
    case 2:
      return multiply_narrow<T, 2>(tile, d.m);
    case 4:
      return multiply_narrow<T, 4>(tile, d.m);
    case 8:
      return multiply_narrow<T, 8>(tile, d.m);
    default:
      multiply(tile, d.m);
  }
}

/// y = f(sum of the partial products + bias), whole rows of them; `parts` is 1, 2 or 4, and `from`
/// may be y itself.
template <class T, int parts, class F>
HWY_NOINLINE void finish_rows(F f, const T* from, std::int64_t part_size, const T* bias, T* y,
                              std::int64_t y_step, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  using D = hn::ScalableTag<T>;
  const D d;
  const auto step = [&](std::int64_t i, std::int64_t j, const auto& lanes) MILGRAD_INLINE_LAMBDA {
    const T* z = from + i * y_step + j;
    auto sum = lanes.load(d, z);
    if constexpr (parts == 2) sum = hn::Add(sum, lanes.load(d, z + part_size));
    if constexpr (parts == 4)
      sum = hn::Add(hn::Add(sum, lanes.load(d, z + part_size)),
                    hn::Add(lanes.load(d, z + 2 * part_size), lanes.load(d, z + 3 * part_size)));
    if (bias != nullptr) sum = hn::Add(sum, lanes.load(d, bias + j));
    lanes.store(f(sum), d, y + i * y_step + j);
  };
  const std::int64_t whole = columns / kLanes * kLanes, rest = columns - whole;
  const FirstLanes<D> last(rest);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < whole; j += kLanes) step(i, j, AllLanes{});
    if (rest > 0) step(i, whole, last);
  }
}

struct Identity {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return x;
  }
};

template <class T, int parts>
void finish(const DenseProduct<T>& p, const T* from, std::int64_t part_size, std::int64_t first_row,
            std::int64_t first_column, std::int64_t rows, std::int64_t columns) {
  const auto run = [&](auto f) {
    const std::int64_t offset = first_row * p.n + first_column;
    const T* bias = p.bias == nullptr ? nullptr : p.bias + first_column;
    finish_rows<T, parts>(f, from + offset, part_size, bias, p.y + offset, p.n, rows, columns);
  };
  switch (p.activation) {
    case Activation::none:
      if (parts == 1 && p.bias == nullptr) return;
      return run(Identity{});
    case Activation::relu:
      return run(functors::relu{});
    case Activation::tanh:
      return run(functors::tanh{});
    case Activation::sigmoid:
      return run(functors::sigmoid{});
  }
}

/// Part `part` of `parts` of all products with several row parts; one with fewer takes some of
/// them.
template <class T>
void multiply_parts(const DenseProducts<T>& d, std::int64_t parts, std::int64_t part) {
  T* partial = d.scratch;
  for (int i = 0; i < d.count; ++i) {
    const DenseProduct<T>& p = d.products[i];
    const std::int64_t own_parts = row_parts(d.k, p.n), step = parts / own_parts;
    if (own_parts == 1) continue;
    const std::int64_t own = part / step;
    if (part % step == 0)
      multiply_rows(d, p, row_part(d.k, own_parts, own), row_part(d.k, own_parts, own + 1),
                    partial + own * d.m * p.n);
    partial += own_parts * d.m * p.n;
  }
}

template <class T>
void few_rows(const DenseProducts<T>& given) {
  const DenseProducts<T> d = given;
  std::int64_t parts = 1, weights = 0;
  for (int i = 0; i < d.count; ++i) {
    parts = std::max(parts, row_parts(d.k, d.products[i].n));
    weights += d.k * d.products[i].n;
  }
  if (parts > 1)
    parallel_owned(parts, weights,
                   [d, parts](std::int64_t part) { multiply_parts(d, parts, part); });
  const T* partial = d.scratch;
  for (int i = 0; i < d.count; ++i) {
    const DenseProduct<T>& p = d.products[i];
    const std::int64_t own_parts = row_parts(d.k, p.n), part_size = d.m * p.n;
    if (own_parts == 1) {
      multiply_rows(d, p, 0, d.k, p.y);
      finish<T, 1>(p, p.y, 0, 0, 0, d.m, p.n);
      continue;
    }
    if (own_parts == 2)
      finish<T, 2>(p, partial, part_size, 0, 0, d.m, p.n);
    else
      finish<T, 4>(p, partial, part_size, 0, 0, d.m, p.n);
    partial += own_parts * part_size;
  }
}

/// The same for part of a result that holds x w already.
template <class T>
void finish_part(const DenseProduct<T>& p, const GemmPart& part) {
  finish<T, 1>(p, p.y, 0, part.row, part.column, part.rows, part.columns);
}

}  // namespace

void few_rows_float32(const DenseProducts<float>& d) { few_rows(d); }
void few_rows_float64(const DenseProducts<double>& d) { few_rows(d); }
void finish_part_float32(const DenseProduct<float>& p, const GemmPart& part) {
  finish_part(p, part);
}
void finish_part_float64(const DenseProduct<double>& p, const GemmPart& part) {
  finish_part(p, part);
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {
namespace {

HWY_EXPORT(few_rows_float32);
HWY_EXPORT(few_rows_float64);
HWY_EXPORT(finish_part_float32);
HWY_EXPORT(finish_part_float64);

bool has_few_rows(std::int64_t m, std::int64_t k) { return m <= kOwnedRows && k > 0; }

void multiply_few_rows(const DenseProducts<float>& d) { MILGRAD_DISPATCH(few_rows_float32)(d); }
void multiply_few_rows(const DenseProducts<double>& d) { MILGRAD_DISPATCH(few_rows_float64)(d); }
void finish_part(const DenseProduct<float>& p, const GemmPart& part) {
  MILGRAD_DISPATCH(finish_part_float32)(p, part);
}
void finish_part(const DenseProduct<double>& p, const GemmPart& part) {
  MILGRAD_DISPATCH(finish_part_float64)(p, part);
}

GemmSizes sizes_of(std::int64_t m, std::int64_t k, std::int64_t n) {
  return {.m = m, .n = n, .k = k};
}

template <class T>
void multiply(const DenseProducts<T>& d) {
  if (d.m == 0) return;
  if (has_few_rows(d.m, d.k)) return multiply_few_rows(d);
  T* scratch = d.scratch;
  for (int i = 0; i < d.count; ++i) {
    const DenseProduct<T>& p = d.products[static_cast<std::size_t>(i)];
    const GemmSizes sizes = sizes_of(d.m, d.k, p.n);
    const GemmEnd end{[](const void* product, const GemmPart& part) {
                        finish_part(*static_cast<const DenseProduct<T>*>(product), part);
                      },
                      &p};
    gemm(sizes, d.x, p.weights, p.y, scratch, end);
    scratch += gemm_scratch(sizes);
  }
}

}  // namespace

std::int64_t dense_scratch(std::int64_t m, std::int64_t k, std::int64_t n) {
  if (!has_few_rows(m, k)) return gemm_scratch(sizes_of(m, k, n));
  return row_parts(k, n) > 1 ? row_parts(k, n) * m * n : 0;
}

void dense_products(const DenseProducts<float>& d) { multiply(d); }
void dense_products(const DenseProducts<double>& d) { multiply(d); }

}  // namespace milgrad::cpu
#endif
