// softmax, its gradient, log_softmax and logsumexp along an axis.
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/softmax.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/softmax_rows.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// Calls rows(x, outer) for each row where the axis is contiguous, else columns(x, outer, begin,
/// width) for each strip of columns; x is where they start.
template <class Rows, class Columns>
void for_each_softmax(const Call& call, const AxisView& view, const Rows& rows,
                      const Columns& columns) {
  const std::int64_t size = view.length * view.inner;
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    parallel_ranges(view.outer, size * kExpWork, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t outer = first; outer < last; ++outer) {
        if (view.inner == 1) {
          rows(x + outer * size, outer);
          continue;
        }
        for_each_strip(view.inner, [&](std::int64_t begin, std::int64_t width) {
          columns(x + outer * size + begin, outer, begin, width);
        });
      }
    });
  });
}

AxisView view_of(const Call& call) {
  return AxisView(call.in(0).shape, call.get<AxisAttrs>().axis);
}

template <class T>
void log_softmax_row(const T* x, T* y, std::int64_t count) {
  const SoftmaxRow<T> row(x, count);
  const T m = row.m, log_s = static_cast<T>(row.log_s());
  for_each_tile(count, 1, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) y[i] = (x[i] - m) - log_s;
  });
}

template <class T>
void log_softmax_columns(const T* x, T* y, const AxisView& view, std::int64_t width) {
  const SoftmaxColumns<T> columns(x, view.length, view.inner, width, nullptr);
  T log_s[kStrip];
  for (std::int64_t c = 0; c < width; ++c) log_s[c] = static_cast<T>(columns.log_s(c));
  for (std::int64_t r = 0; r < view.length; ++r)
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t at = r * view.inner + c;
      y[at] = (x[at] - columns.m[c]) - log_s[c];
    }
}

/// dx = y (g - sum(g y)) down `count` elements that are `stride` apart.
template <class T>
void softmax_gradient_line(const T* y, const T* g, T* dx, std::int64_t count, std::int64_t stride) {
  double total = 0;
  for (std::int64_t i = 0; i < count * stride; i += stride)
    total += static_cast<double>(g[i]) * static_cast<double>(y[i]);
  const T sum = static_cast<T>(total);
  for (std::int64_t i = 0; i < count * stride; i += stride) dx[i] = y[i] * (g[i] - sum);
}

/// m + log(s); exp(inf - inf) is NaN, but the sum with something infinite is infinite.
template <class T>
T log_sum(T m, double s) {
  return std::isinf(m) ? m : static_cast<T>(static_cast<double>(m) + std::log(s));
}

}  // namespace

void softmax(const Call& call) {
  const AxisView view = view_of(call);
  const std::int64_t size = view.length * view.inner;
  for_each_softmax(
      call, view,
      [&]<class T>(const T* x, std::int64_t outer) {
        softmax_row(x, call.out().as<T>() + outer * size, view.length);
      },
      [&]<class T>(const T* x, std::int64_t outer, std::int64_t begin, std::int64_t width) {
        softmax_columns(x, call.out().as<T>() + outer * size + begin, view.length, view.inner,
                        width);
      });
}

void softmax_gradient(const Call& call) {
  const AxisView view = view_of(call);
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const T *y = call.in(0).as<const T>(), *g = call.in(1).as<const T>();
    T* dx = call.out().as<T>();
    parallel_ranges(
        view.outer * view.inner, view.length * 2, [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t at = i / view.inner * view.length * view.inner + i % view.inner;
            softmax_gradient_line(y + at, g + at, dx + at, view.length, view.inner);
          }
        });
  });
}

void log_softmax(const Call& call) {
  const AxisView view = view_of(call);
  const std::int64_t size = view.length * view.inner;
  for_each_softmax(
      call, view,
      [&]<class T>(const T* x, std::int64_t outer) {
        log_softmax_row(x, call.out().as<T>() + outer * size, view.length);
      },
      [&]<class T>(const T* x, std::int64_t outer, std::int64_t begin, std::int64_t width) {
        log_softmax_columns(x, call.out().as<T>() + outer * size + begin, view, width);
      });
}

void logsumexp(const Call& call) {
  const AxisView view = view_of(call);
  for_each_softmax(
      call, view,
      [&]<class T>(const T* x, std::int64_t outer) {
        const SoftmaxRow<T> row(x, view.length);
        call.out().as<T>()[outer] = log_sum(row.m, row.s);
      },
      [&]<class T>(const T* x, std::int64_t outer, std::int64_t begin, std::int64_t width) {
        const SoftmaxColumns<T> columns(x, view.length, view.inner, width, nullptr);
        T* y = call.out().as<T>() + outer * view.inner + begin;
        for (std::int64_t c = 0; c < width; ++c) y[c] = log_sum(columns.m[c], columns.s[c]);
      });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(softmax);
HWY_EXPORT(softmax_gradient);
HWY_EXPORT(log_softmax);
HWY_EXPORT(logsumexp);

void softmax(const Call& call) { MILGRAD_DISPATCH(softmax)(call); }
void softmax_gradient(const Call& call) { MILGRAD_DISPATCH(softmax_gradient)(call); }
void log_softmax(const Call& call) { MILGRAD_DISPATCH(log_softmax)(call); }
void logsumexp(const Call& call) { MILGRAD_DISPATCH(logsumexp)(call); }

}  // namespace milgrad::cpu
#endif
