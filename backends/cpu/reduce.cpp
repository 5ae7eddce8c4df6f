// Sums, products and extremes over axes.
#include "backends/cpu/reduce_plan.h"
#include "backends/kernel_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace milgrad::cpu {
namespace {

/// Floating sums are kept in float64, which makes a float32 result exact to its last bit or so;
/// integers wrap around without undefined behaviour.
template <class T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

template <class T>
struct Sum {
  using Acc = Accumulator<T>;
  static constexpr Acc kInitial = 0;
  static Acc combine(Acc a, T x) { return a + static_cast<Acc>(x); }
  static Acc merge(Acc a, Acc b) { return a + b; }
};
template <class T>
struct Prod {
  using Acc = Accumulator<T>;
  static constexpr Acc kInitial = 1;
  static Acc combine(Acc a, T x) { return a * static_cast<Acc>(x); }
  static Acc merge(Acc a, Acc b) { return a * b; }
};
template <class T>
constexpr T kLowest = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                           : std::numeric_limits<T>::lowest();
template <class T>
constexpr T kHighest = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                            : std::numeric_limits<T>::max();
template <class T>
struct Max {
  using Acc = T;
  static constexpr Acc kInitial = kLowest<T>;
  static Acc combine(Acc a, T x) { return x > a || x != x ? x : a; }
  static Acc merge(Acc a, Acc b) { return combine(a, b); }
};
template <class T>
struct Min {
  using Acc = T;
  static constexpr Acc kInitial = kHighest<T>;
  static Acc combine(Acc a, T x) { return x < a || x != x ? x : a; }
  static Acc merge(Acc a, Acc b) { return combine(a, b); }
};

constexpr std::int64_t kColumns = 512;
/// Long rows are summed in blocks, whose sums are added: the rounding errors grow with the number
/// of blocks and the length of one, not with the length of the row.
constexpr std::int64_t kBlock = 1024;

template <class R, class T>
void reduce(const ReducePlan& plan, const T* x, T* y) {
  using Acc = typename R::Acc;
  plan.kept.for_each(0, plan.kept.total(), [&](std::int64_t kept) {
    if (plan.inner_reduced) {
      Acc acc = R::kInitial;
      plan.reduced.for_each(0, plan.reduced.total(), [&](std::int64_t offset) {
        const T* row = x + kept + offset;
        for (std::int64_t begin = 0; begin < plan.inner; begin += kBlock) {
          const std::int64_t end = std::min(plan.inner, begin + kBlock);
          Acc part = R::kInitial;
          for (std::int64_t i = begin; i < end; ++i) part = R::combine(part, row[i]);
          acc = R::merge(acc, part);
        }
      });
      *y++ = static_cast<T>(acc);
      return;
    }
    for (std::int64_t begin = 0; begin < plan.inner; begin += kColumns) {
      const std::int64_t width = std::min(kColumns, plan.inner - begin);
      Acc acc[kColumns];
      std::fill_n(acc, width, R::kInitial);
      plan.reduced.for_each(0, plan.reduced.total(), [&](std::int64_t offset) {
        const T* row = x + kept + offset + begin;
        for (std::int64_t i = 0; i < width; ++i) acc[i] = R::combine(acc[i], row[i]);
      });
      for (std::int64_t i = 0; i < width; ++i) *y++ = static_cast<T>(acc[i]);
    }
  });
}

template <template <class> class R>
void reduce_axes(const Call& call, unsigned axes) {
  visit_dtype(call.out().dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>)
      reduce<R<T>>(ReducePlan(call.in(0).shape, axes), call.in(0).as<const T>(),
                   call.out().as<T>());
  });
}

unsigned axes_of(const Call& call) {
  unsigned axes = 0;
  for (Dim axis : call.get<ReduceAttrs>().axes) axes |= 1u << axis;
  return axes;
}

}  // namespace

void sum(const Call& call) { reduce_axes<Sum>(call, axes_of(call)); }
void max(const Call& call) { reduce_axes<Max>(call, axes_of(call)); }
void min(const Call& call) { reduce_axes<Min>(call, axes_of(call)); }
void prod(const Call& call) { reduce_axes<Prod>(call, 1u << call.get<AxisAttrs>().axis); }

void sum_to_like(const Call& call) {
  const Shape &from = call.in(0).shape, &to = call.out().shape;
  const int shift = from.rank() - to.rank();
  unsigned axes = 0;
  for (int axis = 0; axis < from.rank(); ++axis)
    if (axis < shift || to[axis - shift] != from[axis]) axes |= 1u << axis;
  reduce_axes<Sum>(call, axes);
}

void size_of(const Call& call) {
  std::int64_t size = 1;
  for (Dim axis : call.get<AxesAttrs>().axes) size *= call.in(0).shape[static_cast<int>(axis)];
  visit_dtype(call.out().dtype, [&]<class T>() { *call.out().as<T>() = static_cast<T>(size); });
}

}  // namespace milgrad::cpu
