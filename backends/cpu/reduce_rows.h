// Reductions of contiguous rows and of columns with Highway vectors; compiled once per SIMD target,
// as simd.h says. Sums of float and double are kept in double: a float result is then exact to its
// last bit or so. The order of the additions depends on the length alone, never on the threads.
#if defined(MILGRAD_BACKENDS_CPU_REDUCE_ROWS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_REDUCE_ROWS_H
#undef MILGRAD_BACKENDS_CPU_REDUCE_ROWS_H
#else
#define MILGRAD_BACKENDS_CPU_REDUCE_ROWS_H
#endif

#include "backends/cpu/reduce_plan.h"
#include "backends/cpu/simd_memory.h"
#include "backends/cpu/thread_pool.h"

#include <algorithm>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

/// What a reduction keeps in a lane, and how an element joins it, for vectors and for numbers.
template <class T>
struct SumLanes {
  using Lane = double;
  using D = hn::ScalableTag<double>;
  static constexpr double kInitial = 0;
  static HWY_INLINE hn::Vec<D> load(const T* x) {
    if constexpr (std::is_same_v<T, double>)
      return hn::LoadU(D(), x);
    else
      return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<T, D>(), x));
  }
  static HWY_INLINE hn::Vec<D> load_rest(const T* x, std::int64_t count) {
    if constexpr (std::is_same_v<T, double>)
      return load_first(D(), x, count, 0.0);
    else
      return hn::PromoteTo(D(), load_first(hn::Rebind<T, D>(), x, count, T(0)));
  }
  static HWY_INLINE hn::Vec<D> combine(hn::Vec<D> a, hn::Vec<D> b) { return hn::Add(a, b); }
  static HWY_INLINE double combine(double a, double b) { return a + b; }
  static HWY_INLINE double fold(hn::Vec<D> v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }
};

template <class V>
HWY_INLINE bool any_nan(V v) {
  return !hn::AllFalse(hn::DFromV<V>(), hn::IsNaN(v));
}

/// A NaN displaces numbers and is never displaced.
template <class T>
struct MaxLanes {
  using Lane = T;
  using D = hn::ScalableTag<T>;
  static constexpr T kInitial = -std::numeric_limits<T>::infinity();
  static HWY_INLINE hn::Vec<D> load(const T* x) { return hn::LoadU(D(), x); }
  static HWY_INLINE hn::Vec<D> load_rest(const T* x, std::int64_t count) {
    return load_first(D(), x, count, kInitial);
  }
  static HWY_INLINE hn::Vec<D> combine(hn::Vec<D> a, hn::Vec<D> b) {
    return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
  }
  static HWY_INLINE T combine(T a, T b) { return b > a || b != b ? b : a; }
  static HWY_INLINE T fold(hn::Vec<D> v) {
    return any_nan(v) ? std::numeric_limits<T>::quiet_NaN() : hn::GetLane(hn::MaxOfLanes(D(), v));
  }
};
template <class T>
struct MinLanes {
  using Lane = T;
  using D = hn::ScalableTag<T>;
  static constexpr T kInitial = std::numeric_limits<T>::infinity();
  static HWY_INLINE hn::Vec<D> load(const T* x) { return hn::LoadU(D(), x); }
  static HWY_INLINE hn::Vec<D> load_rest(const T* x, std::int64_t count) {
    return load_first(D(), x, count, kInitial);
  }
  static HWY_INLINE hn::Vec<D> combine(hn::Vec<D> a, hn::Vec<D> b) {
    return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a);
  }
  static HWY_INLINE T combine(T a, T b) { return b < a || b != b ? b : a; }
  static HWY_INLINE T fold(hn::Vec<D> v) {
    return any_nan(v) ? std::numeric_limits<T>::quiet_NaN() : hn::GetLane(hn::MinOfLanes(D(), v));
  }
};

template <class P, class T>
HWY_NOINLINE typename P::Lane reduce_tile(const T* x, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(typename P::Lane);
  auto a = hn::Set(typename P::D(), P::kInitial);
  std::int64_t i = 0;
  if (count >= 4 * kLanes) {
    auto b = a, c = a, d = a;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
      a = P::combine(a, P::load(x + i));
      b = P::combine(b, P::load(x + i + kLanes));
      c = P::combine(c, P::load(x + i + 2 * kLanes));
      d = P::combine(d, P::load(x + i + 3 * kLanes));
    }
    a = P::combine(P::combine(a, b), P::combine(c, d));
  }
  for (; i + kLanes <= count; i += kLanes) a = P::combine(a, P::load(x + i));
  if (i < count) a = P::combine(a, P::load_rest(x + i, count - i));
  return P::fold(a);
}

/// Long rows are cut into at most kMaxTiles tiles, whose results are combined in order.
inline constexpr std::int64_t kMaxTiles = 256;
inline std::int64_t row_tile(std::int64_t count) {
  return std::max(kTileElements, (count + kMaxTiles - 1) / kMaxTiles);
}

/// Calls f(tile, first, last) for the tiles of a row; `work` says how much an element costs.
template <class F>
void for_each_tile(std::int64_t count, std::int64_t work, const F& f) {
  const std::int64_t size = row_tile(count), tiles = (count + size - 1) / size;
  const auto run = [&](std::int64_t tile) {
    f(tile, tile * size, std::min(count, (tile + 1) * size));
  };
  if (count * work >= kParallelTiles * kTileElements) return parallel_for(tiles, run);
  for (std::int64_t tile = 0; tile < tiles; ++tile) run(tile);
}

template <class P, class T>
typename P::Lane reduce_row(const T* x, std::int64_t count) {
  if (count <= kTileElements) return reduce_tile<P>(x, count);
  typename P::Lane parts[kMaxTiles];
  for_each_tile(count, 1, [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
    parts[tile] = reduce_tile<P>(x + first, last - first);
  });
  const std::int64_t size = row_tile(count);
  typename P::Lane result = parts[0];
  for (std::int64_t tile = 1; tile * size < count; ++tile) result = P::combine(result, parts[tile]);
  return result;
}

/// Columns are handled in strips of this many, so that what is kept for each stays in L1.
inline constexpr std::int64_t kStrip = 256;
/// Rows that are combined in a register before they join the others.
inline constexpr std::int64_t kRowBlock = 32;

/// lanes[c] = lanes[c] combined with x[r * stride + c] for all rows r; width <= kStrip.
template <class P, class T>
HWY_NOINLINE void reduce_columns(typename P::Lane* HWY_RESTRICT lanes, const T* HWY_RESTRICT x,
                                 std::int64_t rows, std::int64_t stride, std::int64_t width) {
  using Lane = typename P::Lane;
  constexpr std::int64_t kLanes = HWY_LANES(Lane);
  const typename P::D d;
  for (std::int64_t first = 0; first < rows; first += kRowBlock) {
    const std::int64_t count = std::min(kRowBlock, rows - first);
    const T* block = x + first * stride;
    std::int64_t c = 0;
    // Four vectors of a row at a time: rows a power of two apart compete for few lines of L1.
    for (; c + 4 * kLanes <= width; c += 4 * kLanes) {
      const T* x0 = block + c;
      auto p = P::load(x0), q = P::load(x0 + kLanes), s = P::load(x0 + 2 * kLanes),
           t = P::load(x0 + 3 * kLanes);
      for (std::int64_t r = 1; r < count; ++r) {
        const T* xr = x0 + r * stride;
        p = P::combine(p, P::load(xr));
        q = P::combine(q, P::load(xr + kLanes));
        s = P::combine(s, P::load(xr + 2 * kLanes));
        t = P::combine(t, P::load(xr + 3 * kLanes));
      }
      Lane* to = lanes + c;
      hn::StoreU(P::combine(hn::LoadU(d, to), p), d, to);
      hn::StoreU(P::combine(hn::LoadU(d, to + kLanes), q), d, to + kLanes);
      hn::StoreU(P::combine(hn::LoadU(d, to + 2 * kLanes), s), d, to + 2 * kLanes);
      hn::StoreU(P::combine(hn::LoadU(d, to + 3 * kLanes), t), d, to + 3 * kLanes);
    }
    for (; c + kLanes <= width; c += kLanes) {
      auto part = P::load(block + c);
      for (std::int64_t r = 1; r < count; ++r)
        part = P::combine(part, P::load(block + r * stride + c));
      hn::StoreU(P::combine(hn::LoadU(d, lanes + c), part), d, lanes + c);
    }
    for (; c < width; ++c) {
      Lane part = static_cast<Lane>(block[c]);
      for (std::int64_t r = 1; r < count; ++r)
        part = P::combine(part, static_cast<Lane>(block[r * stride + c]));
      lanes[c] = P::combine(lanes[c], part);
    }
  }
}

/// Calls f(begin, width) for strips that make up `count` columns.
template <class F>
void for_each_strip(std::int64_t count, const F& f) {
  for (std::int64_t begin = 0; begin < count; begin += kStrip)
    f(begin, std::min(kStrip, count - begin));
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_REDUCE_ROWS_H
