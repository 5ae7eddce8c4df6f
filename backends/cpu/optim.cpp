// Kernels that update variables in place.
#include "backends/kernel_table.h"

#include <cmath>
#include <cstring>

namespace milgrad::cpu {
namespace {

double number(const View& view) {
  return visit_dtype(view.dtype, [&]<class T>() { return static_cast<double>(*view.as<T>()); });
}

/// lr sqrt(1 - b2^t) / (1 - b1^t) in the precision of T.
template <class T>
T adam_step_size(const Call& call) {
  const auto& adam = call.get<AdamAttrs>();
  const T t = static_cast<T>(number(call.in(5))) + 1;
  const T power_1 = std::pow(static_cast<T>(adam.beta_1), t);
  const T power_2 = std::pow(static_cast<T>(adam.beta_2), t);
  return static_cast<T>(number(call.in(4))) * std::sqrt(1 - power_2) / (1 - power_1);
}

}  // namespace

void assign(const Call& call) {
  // memmove: the value may be a view of the variable itself.
  std::memmove(call.in(0).data, call.in(1).data,
               static_cast<std::size_t>(call.in(0).numel) * size_of(call.in(0).dtype));
}

void sgd_update(const Call& call) {
  const auto [mu, nesterov] = call.get<SgdAttrs>();
  visit_floating(call.in(0).dtype, [&, mu = mu, nesterov = nesterov]<class T>() {
    T* x = call.in(0).as<T>();
    const T* g = call.in(1).as<T>();
    const T rate = static_cast<T>(number(call.in(2))), momentum = static_cast<T>(mu);
    const std::int64_t count = call.in(0).numel;
    if (call.inputs.size() == 3) {
      for (std::int64_t i = 0; i < count; ++i) x[i] -= rate * g[i];
      return;
    }
    T* velocity = call.in(3).as<T>();
    for (std::int64_t i = 0; i < count; ++i) {
      const T step = rate * g[i], v = momentum * velocity[i] - step;
      velocity[i] = v;
      x[i] += nesterov ? momentum * v - step : v;
    }
  });
}

void adam_update(const Call& call) {
  const auto& adam = call.get<AdamAttrs>();
  const double alpha_wide =
      adam.float32_step_size ? adam_step_size<float>(call) : adam_step_size<double>(call);
  visit_floating(call.in(0).dtype, [&]<class T>() {
    T *x = call.in(0).as<T>(), *m = call.in(1).as<T>(), *v = call.in(2).as<T>();
    const T* g = call.in(3).as<T>();
    const T rest_1 = static_cast<T>(1 - adam.beta_1), rest_2 = static_cast<T>(1 - adam.beta_2);
    const T alpha = static_cast<T>(alpha_wide), epsilon = static_cast<T>(adam.epsilon);
    for (std::int64_t i = 0; i < call.in(0).numel; ++i) {
      m[i] += (g[i] - m[i]) * rest_1;
      v[i] += (g[i] * g[i] - v[i]) * rest_2;
      x[i] -= m[i] * alpha / (std::sqrt(v[i]) + epsilon);
    }
  });
}

}  // namespace milgrad::cpu
