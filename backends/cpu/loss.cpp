// Losses. The softmax losses go row by row: with m = max(x) and s = sum(exp(x - m)) the
// logarithm of softmax is x - m - log(s).
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/loss.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/softmax_rows.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// y[row] = loss(row, logarithm) where logarithm(i) is log(softmax(x)[i]) in double.
template <class T, class Loss>
void for_each_row(const Call& call, const Loss& loss) {
  const std::int64_t rows = call.in(0).shape[0], classes = call.in(0).shape[1];
  parallel_ranges(rows, classes * kExpWork, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      const T* x = call.in(0).as<const T>() + row * classes;
      const SoftmaxRow<T> softmax(x, classes);
      const double log_s = softmax.log_s();
      call.out().as<T>()[row] = static_cast<T>(
          loss(row, [&](std::int64_t i) { return static_cast<double>(x[i] - softmax.m) - log_s; }));
    }
  });
}

/// max(x, 0) - x t + log(1 + exp(-|x|)), which neither overflows nor cancels.
struct BinaryCrossEntropy {
  template <class V>
  HWY_INLINE V operator()(V x, V t) const {
    const V zero = math::constant(x, 0);
    const V positive = math::select(x < zero, zero, x);
    return positive - x * t + math::log1p(math::exp(math::neg(math::abs(x))));
  }
};

template <class T>
void binary_cross_entropy(const T* x, const T* t, T* y, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const BinaryCrossEntropy f;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    hn::StoreU(f(hn::LoadU(d, x + i), hn::LoadU(d, t + i)), d, y + i);
  const std::int64_t rest = count - i;
  if (rest == 0) return;
  store_first(f(load_first(d, x + i, rest, T(0)), load_first(d, t + i, rest, T(0))), d, y + i,
              rest);
}

template <class T>
T clipped(T share, const NumberAttrs& bounds) {
  const T low = static_cast<T>(bounds.a), high = static_cast<T>(bounds.b);
  return share < low ? low : share > high ? high : share;
}

/// p = softmax(x); the loss of the row.
template <class T>
T clipped_cross_entropy_row(const T* x, const T* t, T* p, std::int64_t classes,
                            const NumberAttrs& bounds) {
  softmax_row(x, p, classes);
  T total = 0, sum = 0;
  for (std::int64_t i = 0; i < classes; ++i) total += p[i];
  for (std::int64_t i = 0; i < classes; ++i) sum += t[i] * std::log(clipped(p[i] / total, bounds));
  return -sum;
}

/// dx from p, targets and the cotangent g of the loss; where the clip held, nothing flows.
template <class T>
void clipped_cross_entropy_gradient_row(const T* p, const T* t, T g, T* dx, std::int64_t classes,
                                        const NumberAttrs& bounds) {
  T total = 0, inner = 0, outer = 0;
  for (std::int64_t i = 0; i < classes; ++i) total += p[i];
  for (std::int64_t i = 0; i < classes; ++i) {
    const T share = p[i] / total, c = clipped(share, bounds);
    dx[i] = share == c ? -g * t[i] / c / total : T(0);
    inner += dx[i] * share;
  }
  for (std::int64_t i = 0; i < classes; ++i) {
    dx[i] = (dx[i] - inner) * p[i];
    outer += dx[i];
  }
  for (std::int64_t i = 0; i < classes; ++i) dx[i] -= p[i] * outer;
}

}  // namespace

void clipped_softmax_cross_entropy(const Call& call) {
  const std::int64_t rows = call.in(0).shape[0], classes = call.in(0).shape[1];
  visit_floating(call.out().dtype, [&]<class T>() {
    const T *x = call.in(0).as<const T>(), *t = call.in(1).as<const T>();
    parallel_ranges(rows, classes * kExpWork, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first * classes; i < last * classes; i += classes)
        call.out(1).as<T>()[i / classes] = clipped_cross_entropy_row(
            x + i, t + i, call.out().as<T>() + i, classes, call.get<NumberAttrs>());
    });
  });
}

void clipped_softmax_cross_entropy_gradient(const Call& call) {
  const std::int64_t rows = call.in(0).shape[0], classes = call.in(0).shape[1];
  visit_floating(call.out().dtype, [&]<class T>() {
    const T *p = call.in(0).as<const T>(), *t = call.in(1).as<const T>();
    const T* g = call.in(2).as<const T>();
    parallel_ranges(rows, classes * 2, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        clipped_cross_entropy_gradient_row(p + i * classes, t + i * classes, g[i],
                                           call.out().as<T>() + i * classes, classes,
                                           call.get<NumberAttrs>());
    });
  });
}

void sparse_softmax_cross_entropy(const Call& call) {
  const std::int64_t classes = call.in(0).shape[1];
  visit_floating(call.out().dtype, [&]<class T>() {
    const auto losses = [&](const auto* labels) {
      // A label without a class never reads outside of the row.
      for_each_row<T>(call, [&](std::int64_t row, const auto& logarithm) {
        const std::int64_t label = labels[row];
        return label >= 0 && label < classes ? -logarithm(label)
                                             : std::numeric_limits<double>::quiet_NaN();
      });
    };
    if (call.in(1).dtype == DType::int32)
      losses(call.in(1).as<const std::int32_t>());
    else
      losses(call.in(1).as<const std::int64_t>());
  });
}

void softmax_cross_entropy(const Call& call) {
  const std::int64_t classes = call.in(0).shape[1];
  visit_floating(call.out().dtype, [&]<class T>() {
    for_each_row<T>(call, [&](std::int64_t row, const auto& logarithm) {
      const T* t = call.in(1).as<const T>() + row * classes;
      double loss = 0;
      for (std::int64_t i = 0; i < classes; ++i)
        if (t[i] != 0) loss -= static_cast<double>(t[i]) * logarithm(i);
      return loss;
    });
  });
}

void binary_cross_entropy_with_logits(const Call& call) {
  visit_floating(call.out().dtype, [&]<class T>() {
    const T *x = call.in(0).as<const T>(), *t = call.in(1).as<const T>();
    parallel_ranges(call.out().numel, kExpWork, [&](std::int64_t first, std::int64_t last) {
      binary_cross_entropy(x + first, t + first, call.out().as<T>() + first, last - first);
    });
  });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(sparse_softmax_cross_entropy);
HWY_EXPORT(softmax_cross_entropy);
HWY_EXPORT(binary_cross_entropy_with_logits);
HWY_EXPORT(clipped_softmax_cross_entropy);
HWY_EXPORT(clipped_softmax_cross_entropy_gradient);

void sparse_softmax_cross_entropy(const Call& call) {
  MILGRAD_DISPATCH(sparse_softmax_cross_entropy)(call);
}
void softmax_cross_entropy(const Call& call) { MILGRAD_DISPATCH(softmax_cross_entropy)(call); }
void binary_cross_entropy_with_logits(const Call& call) {
  MILGRAD_DISPATCH(binary_cross_entropy_with_logits)(call);
}
void clipped_softmax_cross_entropy(const Call& call) {
  MILGRAD_DISPATCH(clipped_softmax_cross_entropy)(call);
}
void clipped_softmax_cross_entropy_gradient(const Call& call) {
  MILGRAD_DISPATCH(clipped_softmax_cross_entropy_gradient)(call);
}

}  // namespace milgrad::cpu
#endif
