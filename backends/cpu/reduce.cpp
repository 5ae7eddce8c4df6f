// Sums, products and extremes over axes.
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/reduce.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/reduce_rows.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// Integers are combined one by one; sums and products wrap around without undefined behaviour.
template <class T>
struct WrappingSum {
  using Lane = std::uint64_t;
  static constexpr Lane kInitial = 0;
  static Lane combine(Lane a, Lane b) { return a + b; }
};
template <class T>
struct IntegerMax {
  using Lane = T;
  static constexpr T kInitial = std::numeric_limits<T>::lowest();
  static T combine(T a, T b) { return b > a ? b : a; }
};
template <class T>
struct IntegerMin {
  using Lane = T;
  static constexpr T kInitial = std::numeric_limits<T>::max();
  static T combine(T a, T b) { return b < a ? b : a; }
};
template <class T>
struct Product {
  using Lane = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
  static constexpr Lane kInitial = 1;
  static Lane combine(Lane a, Lane b) { return a * b; }
};

struct Sum {
  template <class T>
  using Of = std::conditional_t<std::is_floating_point_v<T>, SumLanes<T>, WrappingSum<T>>;
};
struct Max {
  template <class T>
  using Of = std::conditional_t<std::is_floating_point_v<T>, MaxLanes<T>, IntegerMax<T>>;
};
struct Min {
  template <class T>
  using Of = std::conditional_t<std::is_floating_point_v<T>, MinLanes<T>, IntegerMin<T>>;
};
struct Prod {
  template <class T>
  using Of = Product<T>;
};

template <class P>
concept HasVectors = requires {
  typename P::D;
};

template <class P, class T>
typename P::Lane combine_row(const T* x, std::int64_t count) {
  if constexpr (HasVectors<P>) {
    return reduce_row<P>(x, count);
  } else {
    typename P::Lane result = P::kInitial;
    for (std::int64_t i = 0; i < count; ++i)
      result = P::combine(result, static_cast<typename P::Lane>(x[i]));
    return result;
  }
}

template <class P, class T>
void combine_columns(typename P::Lane* lanes, const T* x, std::int64_t rows, std::int64_t stride,
                     std::int64_t width) {
  if constexpr (HasVectors<P>) {
    reduce_columns<P>(lanes, x, rows, stride, width);
  } else {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < width; ++c)
        lanes[c] = P::combine(lanes[c], static_cast<typename P::Lane>(x[r * stride + c]));
  }
}

template <class P, class T>
void reduce_to_rows(const ReducePlan& plan, const T* x, T* y) {
  parallel_ranges(plan.kept.total(), plan.work(), [&](std::int64_t first, std::int64_t last) {
    T* out = y + first;
    plan.kept.for_each(first, last - first, [&](std::int64_t kept) {
      typename P::Lane result = P::kInitial;
      plan.reduced.for_each(0, plan.reduced.total(), [&](std::int64_t offset) {
        const T* row = x + kept + offset;
        for (std::int64_t r = 0; r < plan.rows; ++r, row += plan.row_stride)
          result = P::combine(result, combine_row<P>(row, plan.inner));
      });
      *out++ = static_cast<T>(result);
    });
  });
}

/// y[0..width) from a strip of the columns of x.
template <class P, class T>
void reduce_strip(const ReducePlan& plan, const T* x, T* y, std::int64_t width) {
  typename P::Lane lanes[kStrip];
  std::fill_n(lanes, width, P::kInitial);
  plan.reduced.for_each(0, plan.reduced.total(), [&](std::int64_t offset) {
    combine_columns<P>(lanes, x + offset, plan.rows, plan.row_stride, width);
  });
  for (std::int64_t c = 0; c < width; ++c) y[c] = static_cast<T>(lanes[c]);
}

/// How narrow strips may become so that a few wide columns still are work for several threads.
constexpr std::int64_t kNarrowStrip = 32;

template <class P, class T>
void reduce_to_columns(const ReducePlan& plan, const T* x, T* y) {
  const std::int64_t inner = plan.inner;
  if (plan.kept.total() == 1) {
    const std::int64_t strip = inner < kParallelTiles * kStrip ? kNarrowStrip : kStrip;
    const std::int64_t weight = plan.work() / std::max<std::int64_t>(1, inner) * strip;
    parallel_ranges(
        (inner + strip - 1) / strip, weight, [&](std::int64_t first, std::int64_t last) {
          const std::int64_t end = std::min(inner, last * strip);
          for_each_strip(end - first * strip, [&](std::int64_t begin, std::int64_t width) {
            const std::int64_t at = first * strip + begin;
            reduce_strip<P>(plan, x + at, y + at, width);
          });
        });
    return;
  }
  parallel_ranges(plan.kept.total(), plan.work(), [&](std::int64_t first, std::int64_t last) {
    T* out = y + first * inner;
    plan.kept.for_each(first, last - first, [&](std::int64_t kept) {
      for_each_strip(inner, [&](std::int64_t begin, std::int64_t width) {
        reduce_strip<P>(plan, x + kept + begin, out + begin, width);
      });
      out += inner;
    });
  });
}

/// All elements to one, without a plan.
template <class R>
void reduce_all(const Call& call) {
  visit_dtype(call.out().dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      using P = typename R::template Of<T>;
      const View& x = call.in(0);
      *call.out().as<T>() =
          static_cast<T>(P::combine(P::kInitial, combine_row<P>(x.as<const T>(), x.numel)));
    }
  });
}

template <class R>
void reduce_axes(const Call& call, unsigned axes) {
  if (call.out().numel == 1 && call.in(0).numel > 0) return reduce_all<R>(call);
  const ReducePlan plan(call.in(0).shape, axes);
  visit_dtype(call.out().dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) {
      const T* x = call.in(0).as<const T>();
      T* y = call.out().as<T>();
      using P = typename R::template Of<T>;
      if (plan.inner_reduced)
        reduce_to_rows<P>(plan, x, y);
      else
        reduce_to_columns<P>(plan, x, y);
    }
  });
}

}  // namespace

void reduce_sum(const Call& call, unsigned axes) { reduce_axes<Sum>(call, axes); }
void reduce_max(const Call& call, unsigned axes) { reduce_axes<Max>(call, axes); }
void reduce_min(const Call& call, unsigned axes) { reduce_axes<Min>(call, axes); }
void reduce_prod(const Call& call, unsigned axes) { reduce_axes<Prod>(call, axes); }

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(reduce_sum);
HWY_EXPORT(reduce_max);
HWY_EXPORT(reduce_min);
HWY_EXPORT(reduce_prod);

namespace {

unsigned axes_of(const Call& call) {
  unsigned axes = 0;
  for (Dim axis : call.get<ReduceAttrs>().axes) axes |= 1u << axis;
  return axes;
}

}  // namespace

void sum(const Call& call) { MILGRAD_DISPATCH(reduce_sum)(call, axes_of(call)); }
void max(const Call& call) { MILGRAD_DISPATCH(reduce_max)(call, axes_of(call)); }
void min(const Call& call) { MILGRAD_DISPATCH(reduce_min)(call, axes_of(call)); }
void prod(const Call& call) {
  MILGRAD_DISPATCH(reduce_prod)(call, 1u << call.get<AxisAttrs>().axis);
}

void sum_to_like(const Call& call) {
  const Shape &from = call.in(0).shape, &to = call.out().shape;
  const int shift = from.rank() - to.rank();
  unsigned axes = 0;
  for (int axis = 0; axis < from.rank(); ++axis)
    if (axis < shift || to[axis - shift] != from[axis]) axes |= 1u << axis;
  MILGRAD_DISPATCH(reduce_sum)(call, axes);
}

void size_of(const Call& call) {
  std::int64_t size = 1;
  for (Dim axis : call.get<AxesAttrs>().axes) size *= call.in(0).shape[static_cast<int>(axis)];
  visit_dtype(call.out().dtype, [&]<class T>() { *call.out().as<T>() = static_cast<T>(size); });
}

}  // namespace milgrad::cpu
#endif
