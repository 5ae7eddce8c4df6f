// Kernels that update variables in place: one pass over variable, moments and gradient, compiled
// once per SIMD target; plain loops are vectorised by the compiler. Square roots and quotients are
// exact and nothing is contracted, so all targets give the same bits.

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/optim.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/root_plus_epsilon.h"
#include "backends/cpu/simd_memory.h"
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"

#include <cmath>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

template <class T>
struct AdamNumbers {
  T alpha, rest_1, rest_2, epsilon;
};

template <class T>
HWY_NOINLINE void adam_range(AdamNumbers<T> n, T* __restrict x, T* __restrict m, T* __restrict v,
                             const T* __restrict g, std::int64_t count) {
  using D = hn::ScalableTag<T>;
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const D d;
  const RootPlusEpsilon<T> root(n.epsilon);
  const auto alpha = hn::Set(d, n.alpha);
  const auto rest_1 = hn::Set(d, n.rest_1), rest_2 = hn::Set(d, n.rest_2);
  const auto step = [&](std::int64_t i, auto lanes) MILGRAD_INLINE_LAMBDA {
    const auto gradient = lanes.load(d, g + i);
    const auto first = lanes.load(d, m + i), second = lanes.load(d, v + i);
    const auto moment = hn::Add(first, hn::Mul(hn::Sub(gradient, first), rest_1));
    const auto square =
        hn::Add(second, hn::Mul(hn::Sub(hn::Mul(gradient, gradient), second), rest_2));
    lanes.store(moment, d, m + i);
    lanes.store(square, d, v + i);
    const auto change = hn::Div(hn::Mul(moment, alpha), root(square, i));
    lanes.store(hn::Sub(lanes.load(d, x + i), change), d, x + i);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) step(i, AllLanes{});
  if (i < count) step(i, FirstLanes<D>(count - i));
}

template <class T>
HWY_NOINLINE void descent_range(T rate, T* __restrict x, const T* __restrict g,
                                std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) x[i] -= rate * g[i];
}

template <class T>
HWY_NOINLINE void momentum_range(T rate, T momentum, T* __restrict x, T* __restrict velocity,
                                 const T* __restrict g, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T v = momentum * velocity[i] - rate * g[i];
    velocity[i] = v;
    x[i] += v;
  }
}

template <class T>
HWY_NOINLINE void nesterov_range(T rate, T momentum, T* __restrict x, T* __restrict velocity,
                                 const T* __restrict g, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T step = rate * g[i], v = momentum * velocity[i] - step;
    velocity[i] = v;
    x[i] += momentum * v - step;
  }
}

/// An update touches three or four arrays: ranges are cut as if elements weighed more.
constexpr std::int64_t kWeight = 2;

}  // namespace

void sgd_update(const Call& call) {
  const SgdAttrs sgd = call.get<SgdAttrs>();
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const T rate = static_cast<T>(call.in(2).number()), momentum = static_cast<T>(sgd.momentum);
    T *x = call.in(0).as<T>(), *velocity = call.inputs.size() == 4 ? call.in(3).as<T>() : nullptr;
    const T* g = call.in(1).as<T>();
    parallel_ranges(call.in(0).numel, kWeight, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t count = last - first;
      if (velocity == nullptr)
        descent_range(rate, x + first, g + first, count);
      else if (sgd.nesterov)
        nesterov_range(rate, momentum, x + first, velocity + first, g + first, count);
      else
        momentum_range(rate, momentum, x + first, velocity + first, g + first, count);
    });
  });
}

void adam_update(const Call& call) {
  const auto& adam = call.get<AdamAttrs>();
  const double alpha = call.in(4).number();
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const AdamNumbers<T> numbers{static_cast<T>(alpha), static_cast<T>(1 - adam.beta_1),
                                 static_cast<T>(1 - adam.beta_2), static_cast<T>(adam.epsilon)};
    T *x = call.in(0).as<T>(), *m = call.in(1).as<T>(), *v = call.in(2).as<T>();
    const T* g = call.in(3).as<T>();
    parallel_ranges(call.in(0).numel, kWeight, [&](std::int64_t first, std::int64_t last) {
      adam_range(numbers, x + first, m + first, v + first, g + first, last - first);
    });
  });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {
namespace {

/// lr sqrt(1 - b2^t) / (1 - b1^t) in the precision of T.
template <class T>
double step_size_in(const AdamStepSizeAttrs& adam, double learning_rate, double steps) {
  const T t = static_cast<T>(steps) + 1;
  const T power_1 = std::pow(static_cast<T>(adam.beta_1), t);
  const T power_2 = std::pow(static_cast<T>(adam.beta_2), t);
  return static_cast<T>(learning_rate) * std::sqrt(1 - power_2) / (1 - power_1);
}

}  // namespace

HWY_EXPORT(sgd_update);
HWY_EXPORT(adam_update);

void adam_step_size(const Call& call) {
  const auto& adam = call.get<AdamStepSizeAttrs>();
  const double rate = call.in(0).number(), steps = call.in(1).number();
  *call.out().as<double>() = adam.float32_step_size ? step_size_in<float>(adam, rate, steps)
                                                    : step_size_in<double>(adam, rate, steps);
}

void sgd_update(const Call& call) { MILGRAD_DISPATCH(sgd_update)(call); }
void adam_update(const Call& call) { MILGRAD_DISPATCH(adam_update)(call); }

void assign(const Call& call) {
  // memmove: the value may be a view of the variable itself.
  std::memmove(call.in(0).data, call.in(1).data,
               static_cast<std::size_t>(call.in(0).numel) * size_of(call.in(0).dtype));
}

}  // namespace milgrad::cpu
#endif
