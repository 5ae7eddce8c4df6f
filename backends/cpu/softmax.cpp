// softmax, log_softmax and logsumexp along an axis.
#include "backends/cpu/reduce_plan.h"
#include "backends/cpu/softmax_columns.h"
#include "backends/kernel_table.h"

namespace milgrad::cpu {
namespace {

/// Calls f(x, y, view, width) for each strip of columns; y has the shape of x.
template <class F>
void for_each_strip(const Call& call, F&& f) {
  const AxisView view(call.in(0).shape, call.get<AxisAttrs>().axis);
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    for (std::int64_t outer = 0; outer < view.outer; ++outer)
      for_each_softmax_strip(view.inner, [&](std::int64_t begin, std::int64_t width) {
        f(x, outer, begin, width, view);
      });
  });
}

}  // namespace

void softmax(const Call& call) {
  for_each_strip(call, [&]<class T>(const T* x, std::int64_t outer, std::int64_t begin,
                                    std::int64_t width, const AxisView& view) {
    const std::int64_t first = outer * view.length * view.inner + begin;
    softmax_columns(x + first, call.out().as<T>() + first, view.length, view.inner, width);
  });
}

void log_softmax(const Call& call) {
  for_each_strip(call, [&]<class T>(const T* x, std::int64_t outer, std::int64_t begin,
                                    std::int64_t width, const AxisView& view) {
    const std::int64_t first = outer * view.length * view.inner + begin;
    T* y = call.out().as<T>() + first;
    x += first;
    const SoftmaxColumns<T> columns(x, view.length, view.inner, width);
    for (std::int64_t c = 0; c < width; ++c) {
      const double log_total = columns.total[c] == 0 ? 0 : columns.log_total(c);
      for (std::int64_t i = 0; i < view.length; ++i)
        y[i * view.inner + c] = static_cast<T>(
            static_cast<double>(x[i * view.inner + c] - columns.maximum[c]) - log_total);
    }
  });
}

void logsumexp(const Call& call) {
  for_each_strip(call, [&]<class T>(const T* x, std::int64_t outer, std::int64_t begin,
                                    std::int64_t width, const AxisView& view) {
    const std::int64_t first = outer * view.length * view.inner + begin;
    const SoftmaxColumns<T> columns(x + first, view.length, view.inner, width);
    T* y = call.out().as<T>() + outer * view.inner + begin;
    for (std::int64_t c = 0; c < width; ++c) {
      const double maximum = static_cast<double>(columns.maximum[c]);
      // exp(inf - inf) is NaN, but the sum of something infinite is infinite.
      y[c] = static_cast<T>(std::isinf(maximum) ? maximum : maximum + columns.log_total(c));
    }
  });
}

}  // namespace milgrad::cpu
