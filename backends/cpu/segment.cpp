// Ragged batches: sums, means, maxima and softmax over the instances of each bag. A bag gives the
// same bits alone and among others, since what is computed depends on its own rows only.
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/segment.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/bags.h"
#include "backends/cpu/softmax_rows.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// y = the rows of a bag reduced to one, times 1 / divisor.
template <class P, class T>
void reduce_bag(const T* x, T* y, std::int64_t rows, std::int64_t size, double divisor) {
  using Lane = typename P::Lane;
  if (size == 1) {
    *y = static_cast<T>(reduce_row<P>(x, rows) / static_cast<Lane>(divisor));
    return;
  }
  for_each_strip(size, [&](std::int64_t begin, std::int64_t width) {
    Lane lanes[kStrip];
    std::fill_n(lanes, width, P::kInitial);
    reduce_columns<P>(lanes, x + begin, rows, size, width);
    for (std::int64_t c = 0; c < width; ++c)
      y[begin + c] = static_cast<T>(lanes[c] / static_cast<Lane>(divisor));
  });
}

template <template <class> class P, class Divisor>
void reduce_bags(const Call& call, Divisor divisor) {
  const Bags bags(call.in(1), call.in(0).shape);
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    bags.for_each(1, [&](std::int64_t bag, std::int64_t first, std::int64_t rows) {
      T* y = call.out().as<T>() + bag * bags.row_size();
      if (rows == 0)
        std::fill_n(y, bags.row_size(), T(0));
      else
        reduce_bag<P<T>>(x + first * bags.row_size(), y, rows, bags.row_size(), divisor(rows));
    });
  });
}

double one(std::int64_t) { return 1; }

}  // namespace

void segment_sum(const Call& call) { reduce_bags<SumLanes>(call, one); }
void segment_max(const Call& call) { reduce_bags<MaxLanes>(call, one); }
void segment_mean(const Call& call) {
  reduce_bags<SumLanes>(call, [](std::int64_t rows) { return static_cast<double>(rows); });
}

void segment_softmax(const Call& call) {
  const Bags bags(call.in(1), call.in(0).shape);
  const std::int64_t size = bags.row_size();
  visit_floating(call.out().dtype, [&]<class T>() {
    bags.clear_outside(call.out().as<T>());
    bags.for_each(kExpWork, [&](std::int64_t, std::int64_t first, std::int64_t rows) {
      const T* x = call.in(0).as<const T>() + first * size;
      T* y = call.out().as<T>() + first * size;
      if (size == 1) return softmax_row(x, y, rows);
      for_each_strip(size, [&](std::int64_t begin, std::int64_t width) {
        softmax_columns(x + begin, y + begin, rows, size, width);
      });
    });
  });
}

void segment_broadcast(const Call& call) {
  const Bags bags(call.in(1), call.out().shape);
  const std::int64_t size = bags.row_size();
  visit_floating(call.out().dtype, [&]<class T>() {
    T* y = call.out().as<T>();
    bags.clear_outside(y);
    bags.for_each(1, [&](std::int64_t bag, std::int64_t first, std::int64_t rows) {
      const T* x = call.in(0).as<const T>() + bag * size;
      if (size == 1) {
        std::fill_n(y + first, rows, *x);
        return;
      }
      for (std::int64_t row = first; row < first + rows; ++row)
        std::copy_n(x, size, y + row * size);
    });
  });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(segment_sum);
HWY_EXPORT(segment_mean);
HWY_EXPORT(segment_max);
HWY_EXPORT(segment_softmax);
HWY_EXPORT(segment_broadcast);

void segment_sum(const Call& call) { MILGRAD_DISPATCH(segment_sum)(call); }
void segment_mean(const Call& call) { MILGRAD_DISPATCH(segment_mean)(call); }
void segment_max(const Call& call) { MILGRAD_DISPATCH(segment_max)(call); }
void segment_softmax(const Call& call) { MILGRAD_DISPATCH(segment_softmax)(call); }
void segment_broadcast(const Call& call) { MILGRAD_DISPATCH(segment_broadcast)(call); }

}  // namespace milgrad::cpu
#endif
