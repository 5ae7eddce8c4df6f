// Softmax of rows and of columns, shared by softmax over an axis, over the instances of a bag and
// by the losses: m = max(x), e = exp(x - m), s = sum(e), y = e / s, so that exp never overflows;
// compiled once per SIMD target. s is summed in double. Where all elements are -inf, m counts as 0
// so that e is 0 instead of NaN; a NaN anywhere makes m and s NaN.
#if defined(MILGRAD_BACKENDS_CPU_SOFTMAX_ROWS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_SOFTMAX_ROWS_H
#undef MILGRAD_BACKENDS_CPU_SOFTMAX_ROWS_H
#else
#define MILGRAD_BACKENDS_CPU_SOFTMAX_ROWS_H
#endif

#include "backends/cpu/reduce_rows.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

/// What an exponential costs, in elements of a plain loop.
inline constexpr std::int64_t kExpWork = 8;

/// The lanes of v added up in half as many double lanes.
template <class V>
HWY_INLINE auto add_halves(V v) {
  if constexpr (std::is_same_v<hn::TFromV<V>, double>) {
    return v;
  } else {
    const hn::ScalableTag<double> dd;
    const hn::Half<hn::DFromV<V>> half;
    return hn::Add(hn::PromoteTo(dd, hn::LowerHalf(half, v)),
                   hn::PromoteTo(dd, hn::UpperHalf(half, v)));
  }
}

/// exp(x) for x <= 0, and 0 where that would be a denormal number: those, and what underflows on
/// the way to 0 (a mask of -inf), are slow (softmax of rows of 3: 77 instead of 18 ns a row).
template <class V>
HWY_INLINE V exp_or_zero(V x) {
  using T = hn::TFromV<V>;
  // The logarithm of the smallest normal number, rounded up.
  constexpr double kLowest = std::is_same_v<T, float> ? -87.3365 : -708.3964;
  const V zero = math::constant(x, 0);
  const auto tiny = x < math::constant(x, kLowest);
  return math::select(tiny, zero, math::exp(math::select(tiny, zero, x)));
}

/// m for a maximum that may be -inf.
template <class T>
T softmax_shift(T maximum) {
  return maximum == -std::numeric_limits<T>::infinity() ? T(0) : maximum;
}

/// sum(exp(x - m)); where `store`, y = exp(x - m).
template <bool store, class T>
HWY_NOINLINE double exp_tile(const T* x, T m, T* y, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const auto shift = hn::Set(d, m);
  auto total = hn::Zero(hn::ScalableTag<double>());
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto e = exp_or_zero(hn::Sub(hn::LoadU(d, x + i), shift));
    if constexpr (store) hn::StoreU(e, d, y + i);
    total = hn::Add(total, add_halves(e));
  }
  if (i < count) {
    const auto rest = load_first(d, x + i, count - i, MaxLanes<T>::kInitial);
    const auto e = exp_or_zero(hn::Sub(rest, shift));
    if constexpr (store) store_first(e, d, y + i, count - i);
    total = hn::Add(total, add_halves(e));
  }
  return SumLanes<double>::fold(total);
}

template <bool store, class T>
double exp_row(const T* x, T m, T* y, std::int64_t count) {
  if (count <= kTileElements) return exp_tile<store>(x, m, y, count);
  double parts[kMaxTiles] = {};
  for_each_tile(count, kExpWork, [&](std::int64_t tile, std::int64_t first, std::int64_t last) {
    parts[tile] = exp_tile<store>(x + first, m, store ? y + first : nullptr, last - first);
  });
  double total = 0;
  for (double part : parts) total += part;
  return total;
}

/// m and s of a row; what the logarithms of softmax are made of.
template <class T>
struct SoftmaxRow {
  T m;
  double s;

  SoftmaxRow(const T* x, std::int64_t count)
      : m(softmax_shift(reduce_row<MaxLanes<T>>(x, count))),
        s(exp_row<false, T>(x, m, nullptr, count)) {}
  /// log(s), and 0 for a row of -inf, all of whose logarithms are x - m = -inf then.
  double log_s() const { return s == 0 ? 0 : std::log(s); }
};

/// A row that fits into one vector stays in a register.
template <class T>
HWY_INLINE void softmax_short_row(const T* x, T* y, std::int64_t count) {
  const hn::ScalableTag<T> d;
  const auto v = load_first(d, x, count, MaxLanes<T>::kInitial);
  const T m = softmax_shift(MaxLanes<T>::fold(v));
  const auto e = exp_or_zero(hn::Sub(v, hn::Set(d, m)));
  const double s = SumLanes<double>::fold(add_halves(e));
  store_first(hn::Div(e, hn::Set(d, s == 0 ? T(1) : static_cast<T>(s))), d, y, count);
}

template <class T>
void softmax_row(const T* x, T* y, std::int64_t count) {
  if (count <= static_cast<std::int64_t>(HWY_LANES(T))) return softmax_short_row(x, y, count);
  const T m = softmax_shift(reduce_row<MaxLanes<T>>(x, count));
  const double s = exp_row<true>(x, m, y, count);
  const T divisor = s == 0 ? T(1) : static_cast<T>(s);
  for_each_tile(count, 1, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) y[i] /= divisor;
  });
}

/// m and s of a strip of at most kStrip columns; behind the last vector they have no values.
template <class T>
struct SoftmaxColumns {
  HWY_ALIGN T m[kStrip];
  HWY_ALIGN double s[kStrip];

  /// x: `rows` rows, `stride` apart, of which `width` columns are read. If given, y = exp(x - m).
  SoftmaxColumns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t width, T* y) {
    constexpr std::int64_t kLanes = HWY_LANES(T);
    const std::int64_t whole = (width + kLanes - 1) / kLanes * kLanes;
    std::fill_n(m, whole, MaxLanes<T>::kInitial);
    std::fill_n(s, whole, 0.0);
    reduce_columns<MaxLanes<T>>(m, x, rows, stride, width);
    for (std::int64_t c = 0; c < whole; ++c) m[c] = softmax_shift(m[c]);
    for (std::int64_t r = 0; r < rows; ++r)
      add_exponentials(x + r * stride, width, y == nullptr ? nullptr : y + r * stride);
  }
  double log_s(std::int64_t c) const { return s[c] == 0 ? 0 : std::log(s[c]); }

 private:
  HWY_NOINLINE void add_exponentials(const T* x, std::int64_t width, T* y) {
    constexpr std::int64_t kLanes = HWY_LANES(T);
    const hn::ScalableTag<T> d;
    for (std::int64_t c = 0; c < width; c += kLanes) {
      const std::int64_t count = std::min(kLanes, width - c);
      const auto value = count == kLanes ? hn::LoadU(d, x + c) : load_first(d, x + c, count, T(0));
      const auto e = exp_or_zero(hn::Sub(value, hn::Load(d, m + c)));
      add_to_sums(e, s + c);
      if (y == nullptr) continue;
      count == kLanes ? hn::StoreU(e, d, y + c) : store_first(e, d, y + c, count);
    }
  }

  template <class V>
  static HWY_INLINE void add_to_sums(V e, double* s) {
    const hn::ScalableTag<double> dd;
    if constexpr (std::is_same_v<T, double>) {
      hn::Store(hn::Add(hn::Load(dd, s), e), dd, s);
    } else {
      const hn::Half<hn::DFromV<V>> half;
      double* upper = s + HWY_LANES(double);
      hn::Store(hn::Add(hn::Load(dd, s), hn::PromoteTo(dd, hn::LowerHalf(half, e))), dd, s);
      hn::Store(hn::Add(hn::Load(dd, upper), hn::PromoteTo(dd, hn::UpperHalf(half, e))), dd, upper);
    }
  }
};

/// y = softmax(x) down a strip of columns.
template <class T>
HWY_NOINLINE void softmax_columns(const T* x, T* y, std::int64_t rows, std::int64_t stride,
                                  std::int64_t width) {
  const SoftmaxColumns<T> columns(x, rows, stride, width, y);
  T divisor[kStrip];
  for (std::int64_t c = 0; c < width; ++c)
    divisor[c] = columns.s[c] == 0 ? T(1) : static_cast<T>(columns.s[c]);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < width; ++c) y[r * stride + c] /= divisor[c];
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_SOFTMAX_ROWS_H
