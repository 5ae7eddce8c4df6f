// Kernels that walk along one axis in order: running sums, products of others, argmax and argmin.
#include "backends/cpu/reduce_plan.h"
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"

#include <algorithm>
#include <type_traits>

namespace milgrad::cpu {
namespace {

constexpr std::int64_t kColumns = 256;

/// Floating values are accumulated in float64; integers wrap around.
template <class T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

/// Calls f(outer, begin, width) for strips of neighbouring columns behind each outer position.
template <class F>
void for_each_strip(const AxisView& view, const F& f) {
  parallel_ranges(view.outer, view.length * view.inner, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t outer = first; outer < last; ++outer)
      for (std::int64_t begin = 0; begin < view.inner; begin += kColumns)
        f(outer, begin, std::min(kColumns, view.inner - begin));
  });
}

/// Calls step(acc, x, y) for each element of each column in the order of the axis.
template <class T, class Step>
void scan(const AxisView& view, const T* x, T* y, bool reverse, Accumulator<T> initial,
          const Step& step) {
  const std::int64_t stride = reverse ? -view.inner : view.inner;
  const std::int64_t start = reverse ? (view.length - 1) * view.inner : 0;
  for_each_strip(view, [&](std::int64_t outer, std::int64_t begin, std::int64_t width) {
    std::int64_t at = outer * view.length * view.inner + start + begin;
    if (width == 1) {
      Accumulator<T> acc = initial;
      for (std::int64_t i = 0; i < view.length; ++i, at += stride) step(acc, x[at], y[at]);
      return;
    }
    Accumulator<T> acc[kColumns];
    std::fill_n(acc, width, initial);
    for (std::int64_t i = 0; i < view.length; ++i, at += stride)
      for (std::int64_t c = 0; c < width; ++c) step(acc[c], x[at + c], y[at + c]);
  });
}

/// Index of the element that `better` prefers to all before it; a NaN is preferred to any number.
template <class T, class Better>
void arg_extreme(const AxisView& view, const T* x, std::int64_t* y, Better better) {
  for_each_strip(view, [&](std::int64_t outer, std::int64_t begin, std::int64_t width) {
    const T* row = x + outer * view.length * view.inner + begin;
    std::int64_t* index = y + outer * view.inner + begin;
    T best[kColumns];
    std::copy_n(row, width, best);
    std::fill_n(index, width, std::int64_t{0});
    for (std::int64_t i = 1; i < view.length; ++i) {
      row += view.inner;
      for (std::int64_t c = 0; c < width; ++c) {
        const bool first_nan = row[c] != row[c] && best[c] == best[c];
        if (!better(row[c], best[c]) && !first_nan) continue;
        best[c] = row[c];
        index[c] = i;
      }
    }
  });
}

template <class Better>
void arg_extreme(const Call& call, Better better) {
  const AxisView view(call.in(0).shape, call.get<AxisAttrs>().axis);
  visit_dtype(call.in(0).dtype, [&]<class T>() {
    arg_extreme(view, call.in(0).as<const T>(), call.out().as<std::int64_t>(), better);
  });
}

}  // namespace

void cumsum(const Call& call) {
  const auto [axis, reverse] = call.get<ScanAttrs>();
  const AxisView view(call.in(0).shape, axis);
  visit_dtype(call.out().dtype, [&]<class T>() {
    using Acc = Accumulator<T>;
    scan(view, call.in(0).as<const T>(), call.out().as<T>(), reverse, Acc{0},
         [](Acc& acc, T x, T& y) { y = static_cast<T>(acc += static_cast<Acc>(x)); });
  });
}

void prod_of_others(const Call& call) {
  const AxisView view(call.in(0).shape, call.get<AxisAttrs>().axis);
  visit_dtype(call.out().dtype, [&]<class T>() {
    using Acc = Accumulator<T>;
    const T* x = call.in(0).as<const T>();
    T* y = call.out().as<T>();
    // The product of all before, then times the product of all behind.
    scan(view, x, y, false, Acc{1}, [](Acc& acc, T value, T& product) {
      product = static_cast<T>(acc);
      acc *= static_cast<Acc>(value);
    });
    scan(view, x, y, true, Acc{1}, [](Acc& acc, T value, T& product) {
      product = static_cast<T>(static_cast<Acc>(product) * acc);
      acc *= static_cast<Acc>(value);
    });
  });
}

void argmax(const Call& call) {
  arg_extreme(call, [](auto a, auto b) { return a > b; });
}
void argmin(const Call& call) {
  arg_extreme(call, [](auto a, auto b) { return a < b; });
}

}  // namespace milgrad::cpu
