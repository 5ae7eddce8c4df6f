// The backward pass of a dense layer in one pass over its weights w [k, n]: while a row of w is in
// registers, its share of dx = g w^T is added up, its gradient x^T g + decay w is formed, and the
// optimizer writes w and its slots. Compiled once per SIMD target.
//
// Rows belong to threads in contiguous parts (dense.h); nothing is summed across rows but the sum
// of squares, whose partial sums are added as a tree. Four forms, chosen by shape alone:
//   update_narrow   n = 1, 2, 4, .. less than a vector: w is one flat row of vectors
//   update_rows     few rows m of x and g, their number known to the compiler
//   update_tiles    any m, in register tiles
//   update_blocks   many m: products by OpenBLAS, over blocks of rows whose gradient stays in cache
#include "backends/cpu/dense_update.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/dense_update.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/dense.h"
#include "backends/cpu/dense_update_rules.h"
#include "backends/cpu/gemm.h"
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

#if HWY_MAX_BYTES == 64
constexpr int kTileRows = 4;  // of weights, in update_tiles
#else
constexpr int kTileRows = 2;
#endif
constexpr int kMostRows = HWY_MAX_BYTES == 64 ? 8 : 4;  // of x, in update_rows
constexpr int kTileVectors = 4;

template <class T>
struct Update {
  const T* x;     // [m, k]
  const T* g;     // [m, n]
  Slots<T> w;     // [k, n]
  Slots<T> bias;  // [n] or null
  T* dx;          // [m, k] or null
  T* squares;     // [kMostRowParts]
  T* scratch;
  std::int64_t m, k, n;
  RuleNumbers<T> numbers;
  T decay;
};

/// Lane i of the result is the sum of v[i]: additions of whole vectors and shuffles, half of those
/// that one sum after the other would take.
template <class D, class V>
HWY_INLINE V sums_of(D d, const V* v) {
  constexpr int kBlocks = HWY_LANES(hn::TFromD<D>) * sizeof(hn::TFromD<D>) / 16;
  V g[kBlocks];
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    each<kBlocks>([&](auto i) MILGRAD_INLINE_LAMBDA {
      const V a = v[2 * i], b = v[2 * i + 1];
      g[i] = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    });
  } else {
    const hn::Repartition<double, D> pairs;
    each<kBlocks>([&](auto i) MILGRAD_INLINE_LAMBDA {
      const V* a = v + 4 * i;
      const V ab = hn::Add(hn::InterleaveLower(d, a[0], a[1]), hn::InterleaveUpper(d, a[0], a[1]));
      const V cd = hn::Add(hn::InterleaveLower(d, a[2], a[3]), hn::InterleaveUpper(d, a[2], a[3]));
      const auto low = hn::BitCast(pairs, ab), high = hn::BitCast(pairs, cd);
      g[i] = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, low, high)),
                     hn::BitCast(d, hn::InterleaveUpper(pairs, low, high)));
    });
  }
  if constexpr (kBlocks == 1) {
    return g[0];
  } else if constexpr (kBlocks == 2) {
    return hn::Add(hn::ConcatLowerLower(d, g[1], g[0]), hn::ConcatUpperUpper(d, g[1], g[0]));
  } else {
    const V u = hn::Add(hn::ConcatLowerLower(d, g[2], g[0]), hn::ConcatUpperUpper(d, g[2], g[0]));
    const V w = hn::Add(hn::ConcatLowerLower(d, g[3], g[1]), hn::ConcatUpperUpper(d, g[3], g[1]));
    return hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(w), u),
                   hn::OddEvenBlocks(w, hn::SwapAdjacentBlocks(u)));
  }
}

template <class T, class D, class V>
HWY_INLINE void store_input_gradient(const Update<T>& u, D d, std::int64_t i, std::int64_t k,
                                     std::int64_t count, V* sums) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  T* to = u.dx + i * u.k + k;
  if (count == kLanes) return hn::StoreU(sums_of(d, sums), d, to);
  for (std::int64_t r = count; r < kLanes; ++r) sums[r] = hn::Zero(d);
  store_first(sums_of(d, sums), d, to, count);
}

/// Rows first .. last - 1 of the weights for `rows` rows of x; the sum of their squares. They are
/// walked as one flat stream: where n is no number of whole vectors, the vector where two rows meet
/// takes x and g of both, so that all vectors are full and aligned.
template <class T, class Rule, int rows, bool kInputGradient>
HWY_NOINLINE T update_rows(const Update<T>& given, std::int64_t first, std::int64_t last) {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const D d;
  // A copy: a vector may alias anything, so what is read through a reference is read anew after
  // every store.
  const Update<T> u = given;
  const Rule rule(u.numbers, u.w);
  const V decay = hn::Set(d, u.decay);
  V squares = hn::Zero(d);
  V carry[rows];
  each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA { carry[i] = hn::Zero(d); });
  V sums[kInputGradient ? rows : 1][kLanes];
  std::int64_t offset = 0;  // elements of this row that the last vector of the row before held
  for (std::int64_t block = first; block < last; block += kLanes) {
    const std::int64_t end = std::min(block + kLanes, last);
    for (std::int64_t k = block; k < end; ++k) {
      V x[rows], sum[rows];
      each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
        x[i] = hn::Set(d, u.x[i * u.k + k]);
        sum[i] = carry[i];
        carry[i] = hn::Zero(d);
      });
      const auto finish = [&](V w, V g, std::int64_t at, auto lanes) MILGRAD_INLINE_LAMBDA {
        squares = hn::MulAdd(w, w, squares);
        rule.apply(w, hn::MulAdd(decay, w, g), at, lanes);
      };
      const auto step = [&](std::int64_t n, auto lanes) MILGRAD_INLINE_LAMBDA {
        const std::int64_t at = k * u.n + n;
        const V w = lanes.load(d, u.w.x + at);
        V g = hn::Zero(d);
        each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
          const V row = lanes.load(d, u.g + i * u.n + n);
          g = i == 0 ? hn::Mul(x[0], row) : hn::MulAdd(x[i], row, g);
          if constexpr (kInputGradient) sum[i] = hn::MulAdd(row, w, sum[i]);
        });
        finish(w, g, at, lanes);
      };
      std::int64_t n = offset;
      for (; n + kLanes <= u.n; n += kLanes) step(n, AllLanes{});
      const std::int64_t own = u.n - n;
      offset = 0;
      if (own > 0 && (!kMaskedMemory || u.n < kLanes || k + 1 == last)) {
        step(n, FirstLanes<D>(own));
      } else if (own > 0) {
        const auto mine = hn::FirstN(d, static_cast<std::size_t>(own));
        const auto next = hn::Not(mine);
        const std::int64_t at = k * u.n + n;
        const V w = hn::LoadU(d, u.w.x + at);
        V g = hn::Zero(d);
        each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA {
          const T* from = u.g + i * u.n;
          const V row = hn::IfThenElse(mine, hn::MaskedLoad(mine, d, from + n),
                                       hn::MaskedLoad(next, d, from - own));
          const V both = hn::IfThenElse(mine, x[i], hn::Set(d, u.x[i * u.k + k + 1]));
          g = i == 0 ? hn::Mul(both, row) : hn::MulAdd(both, row, g);
          if constexpr (kInputGradient) {
            sum[i] = hn::IfThenElse(mine, hn::MulAdd(row, w, sum[i]), sum[i]);
            carry[i] = hn::IfThenZeroElse(mine, hn::Mul(row, w));
          }
        });
        finish(w, g, at, AllLanes{});
        offset = kLanes - own;
      }
      if constexpr (kInputGradient)
        each<rows>([&](auto i) MILGRAD_INLINE_LAMBDA { sums[i][k - block] = sum[i]; });
    }
    if constexpr (kInputGradient)
      for (int i = 0; i < rows; ++i) store_input_gradient(u, d, i, block, end - block, sums[i]);
  }
  return hn::GetLane(hn::SumOfLanes(d, squares));
}

/// The gradient of `rows` x `vectors` vectors of weights, from row k and column n on; the last
/// vector has `last` columns. `to` has rows of kTileVectors vectors.
template <class T, int rows, int vectors>
HWY_NOINLINE void gradient_tile(const Update<T>& u, std::int64_t k, std::int64_t n,
                                std::int64_t last, T* to) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  const D d;
  V sum[rows][vectors];
  each<rows>([&](auto r) MILGRAD_INLINE_LAMBDA {
    each<vectors>([&](auto j) MILGRAD_INLINE_LAMBDA { sum[r][j] = hn::Zero(d); });
  });
  const std::int64_t m = u.m, k_step = u.k, n_step = u.n;
  const T *g = u.g + n, *x = u.x + k;
  for (std::int64_t i = 0; i < m; ++i, g += n_step, x += k_step) {
    V row[vectors];
    each<vectors - 1>([&](auto j) MILGRAD_INLINE_LAMBDA { row[j] = hn::LoadU(d, g + j * kLanes); });
    row[vectors - 1] = load_first(d, g + (vectors - 1) * kLanes, last);
    each<rows>([&](auto r) MILGRAD_INLINE_LAMBDA {
      const V one = hn::Set(d, x[r]);
      each<vectors>([&](auto j)
                        MILGRAD_INLINE_LAMBDA { sum[r][j] = hn::MulAdd(one, row[j], sum[r][j]); });
    });
  }
  each<rows>([&](auto r) MILGRAD_INLINE_LAMBDA {
    each<vectors>([&](auto j) MILGRAD_INLINE_LAMBDA {
      hn::StoreU(sum[r][j], d, to + (r * kTileVectors + j) * kLanes);
    });
  });
}

template <class T, int rows>
void gradient_tile(const Update<T>& u, std::int64_t k, std::int64_t n, std::int64_t columns,
                   T* to) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const std::int64_t last = (columns - 1) % kLanes + 1;
  switch ((columns + kLanes - 1) / kLanes) {
    case 1:
      return gradient_tile<T, rows, 1>(u, k, n, last, to);
    case 2:
      return gradient_tile<T, rows, 2>(u, k, n, last, to);
    case 3:
      return gradient_tile<T, rows, 3>(u, k, n, last, to);
    default:
      return gradient_tile<T, rows, kTileVectors>(u, k, n, last, to);
  }
}

/// dx of all rows for the weights' rows block .. end - 1, at most a vector's lanes of them.
template <class T>
HWY_NOINLINE void input_gradient_block(const Update<T>& given, std::int64_t block,
                                       std::int64_t end) {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  constexpr std::int64_t kLanes = HWY_LANES(T);
  constexpr int kAtOnce = kTileRows, kWeightRows = kLanes < 4 ? 2 : 4;
  const D d;
  const Update<T> u = given;
  const std::int64_t whole = u.n / kLanes * kLanes, rest = u.n - whole;
  V sums[kAtOnce][kLanes];
  for (std::int64_t i0 = 0; i0 < u.m; i0 += kAtOnce) {
    for (std::int64_t r0 = 0; r0 < kLanes; r0 += kWeightRows) {
      V sum[kAtOnce][kWeightRows];
      const T *w[kWeightRows], *g[kAtOnce];
      each<kWeightRows>([&](auto r) MILGRAD_INLINE_LAMBDA {
        w[r] = u.w.x + std::min(block + r0 + r, end - 1) * u.n;
      });
      each<kAtOnce>([&](auto i) MILGRAD_INLINE_LAMBDA {
        g[i] = u.g + std::min(i0 + i, u.m - 1) * u.n;
        each<kWeightRows>([&](auto r) MILGRAD_INLINE_LAMBDA { sum[i][r] = hn::Zero(d); });
      });
      const auto step = [&](std::int64_t n, auto lanes) MILGRAD_INLINE_LAMBDA {
        V row[kWeightRows];
        each<kWeightRows>([&](auto r) MILGRAD_INLINE_LAMBDA { row[r] = lanes.load(d, w[r] + n); });
        each<kAtOnce>([&](auto i) MILGRAD_INLINE_LAMBDA {
          const V other = lanes.load(d, g[i] + n);
          each<kWeightRows>([&](auto r) MILGRAD_INLINE_LAMBDA {
            sum[i][r] = hn::MulAdd(other, row[r], sum[i][r]);
          });
        });
      };
      for (std::int64_t n = 0; n < whole; n += kLanes) step(n, AllLanes{});
      if (rest > 0) step(whole, FirstLanes<D>(rest));
      each<kAtOnce>([&](auto i) MILGRAD_INLINE_LAMBDA {
        each<kWeightRows>([&](auto r) MILGRAD_INLINE_LAMBDA { sums[i][r0 + r] = sum[i][r]; });
      });
    }
    for (std::int64_t i = i0; i < std::min<std::int64_t>(i0 + kAtOnce, u.m); ++i)
      store_input_gradient(u, d, i, block, end - block, sums[i - i0]);
  }
}

/// Any number of rows of x: per block of weights, which stay in L1, first dx and then the update.
template <class T, class Rule>
HWY_NOINLINE T update_tiles(const Update<T>& given, std::int64_t first, std::int64_t last) {
  using D = hn::ScalableTag<T>;
  constexpr std::int64_t kLanes = HWY_LANES(T), kColumns = kTileVectors * kLanes;
  const D d;
  const Update<T> u = given;
  const Rule rule(u.numbers, u.w);
  const auto decay = hn::Set(d, u.decay);
  auto squares = hn::Zero(d);
  HWY_ALIGN T gradient[kTileRows * kColumns];
  const auto step = [&](const T* g, std::int64_t at, auto lanes) MILGRAD_INLINE_LAMBDA {
    const auto w = lanes.load(d, u.w.x + at);
    squares = hn::MulAdd(w, w, squares);
    rule.apply(w, hn::MulAdd(decay, w, hn::Load(d, g)), at, lanes);
  };
  for (std::int64_t block = first; block < last; block += kLanes) {
    const std::int64_t end = std::min(block + kLanes, last);
    if (u.dx != nullptr) input_gradient_block(u, block, end);
    for (std::int64_t k = block, rows; k < end; k += rows) {
      rows = k + kTileRows <= end ? kTileRows : 1;
      for (std::int64_t n = 0; n < u.n; n += kColumns) {
        const std::int64_t columns = std::min(kColumns, u.n - n);
        (rows == 1 ? gradient_tile<T, 1> : gradient_tile<T, kTileRows>)(u, k, n, columns, gradient);
        for (std::int64_t r = 0; r < rows; ++r) {
          const T* g = gradient + r * kColumns;
          const std::int64_t at = (k + r) * u.n + n;
          std::int64_t j = 0;
          for (; j + kLanes <= columns; j += kLanes) step(g + j, at + j, AllLanes{});
          if (j < columns) step(g + j, at + j, FirstLanes<D>(columns - j));
        }
      }
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, squares));
}

/// n columns, fewer than a vector has lanes and a power of two: a vector holds several rows.
template <class T, class Rule, int n>
HWY_NOINLINE T update_narrow(const Update<T>& given, std::int64_t first, std::int64_t last) {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  constexpr std::int64_t kLanes = HWY_LANES(T), kRows = kLanes / n;
  const D d;
  const Update<T> u = given;
  const Rule rule(u.numbers, u.w);
  const V decay = hn::Set(d, u.decay);
  const auto repeat = lane_indices(d, [](int lane) { return lane / n; });
  const auto cycle = lane_indices(d, [](int lane) { return lane % n; });
  const auto pick = lane_indices(d, [](int lane) { return lane * n % static_cast<int>(kLanes); });
  V g[kMostTileRows];
  for (std::int64_t i = 0; i < u.m; ++i)
    g[i] = hn::TableLookupLanes(load_first(d, u.g + i * n, n), cycle);
  V squares = hn::Zero(d);
  for (std::int64_t k = first; k < last; k += kRows) {
    const std::int64_t count = std::min(kRows, last - k);
    const FirstLanes<D> lanes(count * n);
    const V w = lanes.load(d, u.w.x + k * n);
    squares = hn::MulAdd(w, w, squares);
    V sum = hn::Mul(decay, w);
    for (std::int64_t i = 0; i < u.m; ++i) {
      const V x = load_first(d, u.x + i * u.k + k, count);
      sum = hn::MulAdd(hn::TableLookupLanes(x, repeat), g[i], sum);
      if (u.dx == nullptr) continue;
      V products = hn::Mul(g[i], w);
      if constexpr (n > 1) {
        each<std::bit_width(unsigned{n}) - 1>([&](auto step) MILGRAD_INLINE_LAMBDA {
          const auto other =
              lane_indices(d, [](int lane) { return lane ^ (1 << decltype(step)::value); });
          products = hn::Add(products, hn::TableLookupLanes(products, other));
        });
        products = hn::TableLookupLanes(products, pick);
      }
      store_first(products, d, u.dx + i * u.k + k, count);
    }
    rule.apply(w, sum, k * n, lanes);
  }
  return hn::GetLane(hn::SumOfLanes(d, squares));
}

/// One step of a variable whose gradients are in memory.
template <class T, class Rule>
HWY_NOINLINE T update_flat(const Update<T>& given, const Slots<T>& variable, T decay_number,
                           const T* gradients, std::int64_t count) {
  using D = hn::ScalableTag<T>;
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const D d;
  const Slots<T> slots = variable;
  const Rule rule(given.numbers, slots);
  const auto decay = hn::Set(d, decay_number);
  auto squares = hn::Zero(d);
  const auto step = [&](std::int64_t i, auto lanes) MILGRAD_INLINE_LAMBDA {
    const auto w = lanes.load(d, slots.x + i);
    squares = hn::MulAdd(w, w, squares);
    rule.apply(w, hn::MulAdd(decay, w, lanes.load(d, gradients + i)), i, lanes);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) step(i, AllLanes{});
  if (i < count) step(i, FirstLanes<D>(count - i));
  return hn::GetLane(hn::SumOfLanes(d, squares));
}

template <class T, class Rule>
T update_blocks(const Update<T>& u, std::int64_t part, std::int64_t first, std::int64_t last) {
  const std::int64_t rows = rows_of_block(u.n);
  T* gradient = u.scratch + part * rows * u.n;
  T squares = 0;
  for (std::int64_t k = first; k < last; k += rows) {
    const std::int64_t count = std::min(rows, last - k);
    if (u.dx != nullptr)
      gemm_block<T>({.m = u.m, .n = count, .k = u.n, .transpose_b = true}, u.g, u.n,
                    u.w.x + k * u.n, u.n, u.dx + k, u.k);
    gemm_block<T>({.m = count, .n = u.n, .k = u.m, .transpose_a = true}, u.x + k, u.k, u.g, u.n,
                  gradient, u.n);
    const std::int64_t at = k * u.n;
    const auto moved = [at](T* p) { return p == nullptr ? nullptr : p + at; };
    const Slots<T> slots{moved(u.w.x), moved(u.w.first), moved(u.w.second)};
    squares += update_flat<T, Rule>(u, slots, u.decay, gradient, count * u.n);
  }
  return squares;
}

template <class T>
using RowsKernel = T (*)(const Update<T>&, std::int64_t, std::int64_t);

template <class T, class Rule, bool kInputGradient, int... rows>
RowsKernel<T> rows_kernel(std::int64_t m, std::integer_sequence<int, rows...>) {
  static constexpr RowsKernel<T> kKernels[] = {update_rows<T, Rule, rows + 1, kInputGradient>...};
  return kKernels[m - 1];
}

template <class T, class Rule, int n>
T update_if_narrow(const Update<T>& u, std::int64_t first, std::int64_t last) {
  if constexpr (n < HWY_LANES(T)) return update_narrow<T, Rule, n>(u, first, last);
  return T{0};
}

template <class T, class Rule>
T update_part(const Update<T>& u, std::int64_t part, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  if (u.m > kMostTileRows) return update_blocks<T, Rule>(u, part, first, last);
  if (u.n < kLanes && kLanes % u.n == 0) switch (u.n) {
      case 1:
        return update_if_narrow<T, Rule, 1>(u, first, last);
      case 2:
        return update_if_narrow<T, Rule, 2>(u, first, last);
      case 4:
        return update_if_narrow<T, Rule, 4>(u, first, last);
      default:
        return update_if_narrow<T, Rule, 8>(u, first, last);
    }
  // float64 is for checking: one form of it is enough.
  if constexpr (std::is_same_v<T, float>)
    if (u.m >= 1 && u.m <= kMostRows) {
      constexpr std::make_integer_sequence<int, kMostRows> rows;
      const RowsKernel<T> kernel = u.dx == nullptr ? rows_kernel<T, Rule, false>(u.m, rows)
                                                   : rows_kernel<T, Rule, true>(u.m, rows);
      return kernel(u, first, last);
    }
  return update_tiles<T, Rule>(u, first, last);
}

/// The bias's gradient is the sum over the rows of g.
template <class T, class Rule>
HWY_NOINLINE void update_bias(const Update<T>& given) {
  using D = hn::ScalableTag<T>;
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const D d;
  const Update<T> u = given;
  const Rule rule(u.numbers, u.bias);
  const auto step = [&](std::int64_t n, auto lanes) MILGRAD_INLINE_LAMBDA {
    auto sum = hn::Zero(d);
    for (std::int64_t i = 0; i < u.m; ++i) sum = hn::Add(sum, lanes.load(d, u.g + i * u.n + n));
    rule.apply(lanes.load(d, u.bias.x + n), sum, n, lanes);
  };
  std::int64_t n = 0;
  for (; n + kLanes <= u.n; n += kLanes) step(n, AllLanes{});
  if (n < u.n) step(n, FirstLanes<D>(u.n - n));
}

template <class T, class Rule>
void update(Update<T> u, T* sum_of_squares) {
  T squares[kMostRowParts] = {};
  u.squares = sum_of_squares == nullptr ? nullptr : squares;
  if (u.k * u.n == 0) {
    if (u.dx != nullptr) std::fill_n(u.dx, u.m * u.k, T{0});
    if (u.bias.x != nullptr) update_bias<T, Rule>(u);
  } else {
    const std::int64_t parts = row_parts(u.k, u.n);
    constexpr std::int64_t kWeight = 4;  // an update takes as much longer than reading does
    parallel_owned(parts, kWeight * u.k * u.n, [u, parts](std::int64_t part) {
      if (part == 0 && u.bias.x != nullptr) update_bias<T, Rule>(u);
      const T sum =
          update_part<T, Rule>(u, part, row_part(u.k, parts, part), row_part(u.k, parts, part + 1));
      if (u.squares != nullptr) u.squares[part] = sum;
    });
  }
  if (sum_of_squares != nullptr)
    *sum_of_squares = (squares[0] + squares[1]) + (squares[2] + squares[3]);
}

/// x, g, step size or learning rate, then the kernel and its `slots`, then the bias and its own.
template <class T, class Rule>
void update(const Call& call, const DenseUpdate& options, int slots,
            const RuleNumbers<T>& numbers) {
  const auto slot = [&](int i) { return call.in(i).as<T>(); };
  const auto slots_from = [&](int i) {
    return Slots<T>{slot(i), slots > 0 ? slot(i + 1) : nullptr, slots > 1 ? slot(i + 2) : nullptr};
  };
  const Shape& weights = call.in(3).shape;
  const Shape& x = call.in(0).shape;
  const Update<T> u{.x = slot(0),
                    .g = slot(1),
                    .w = slots_from(3),
                    .bias = options.bias ? slots_from(4 + slots) : Slots<T>{},
                    .dx = options.input_gradient ? call.out().as<T>() : nullptr,
                    .squares = nullptr,
                    .scratch = reinterpret_cast<T*>(call.workspace),
                    .m = x.product(0, x.rank() - 1),
                    .k = weights[0],
                    .n = weights[1],
                    .numbers = numbers,
                    .decay = static_cast<T>(options.decay)};
  update<T, Rule>(u, options.sum_of_squares ? call.outputs.back().as<T>() : nullptr);
}

}  // namespace

void sgd_dense_update(const Call& call) {
  const auto& [sgd, options] = call.get<SgdDenseAttrs>();
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const RuleNumbers<T> numbers{.step = static_cast<T>(call.in(2).number()),
                                 .a = static_cast<T>(sgd.momentum),
                                 .nesterov = sgd.nesterov};
    update<T, SgdRule<T>>(call, options, sgd.momentum > 0 ? 1 : 0, numbers);
  });
}

void adam_dense_update(const Call& call) {
  const auto& [adam, options] = call.get<AdamDenseAttrs>();
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const RuleNumbers<T> numbers{.step = static_cast<T>(call.in(2).number()),
                                 .a = static_cast<T>(1 - adam.beta_1),
                                 .b = static_cast<T>(1 - adam.beta_2),
                                 .epsilon = static_cast<T>(adam.epsilon)};
    update<T, AdamRule<T>>(call, options, 2, numbers);
  });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(sgd_dense_update);
HWY_EXPORT(adam_dense_update);

void sgd_dense_update(const Call& call) { MILGRAD_DISPATCH(sgd_dense_update)(call); }
void adam_dense_update(const Call& call) { MILGRAD_DISPATCH(adam_dense_update)(call); }

}  // namespace milgrad::cpu
#endif
