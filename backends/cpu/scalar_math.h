// The vocabulary of functors.h for single numbers: floating ones by the standard library, integers
// with arithmetic that wraps around.
#pragma once

#include <cmath>
#include <concepts>
#include <type_traits>

#define MILGRAD_FN inline
namespace milgrad::cpu::scalar {
namespace math {

template <class T>
T constant(T, double value) {
  return static_cast<T>(value);
}
template <class T>
T select(bool condition, T a, T b) {
  return condition ? a : b;
}

template <std::floating_point T>
T add(T a, T b) {
  return a + b;
}
template <std::floating_point T>
T sub(T a, T b) {
  return a - b;
}
template <std::floating_point T>
T mul(T a, T b) {
  return a * b;
}
template <std::floating_point T>
T neg(T x) {
  return -x;
}
template <std::floating_point T>
T abs(T x) {
  return std::abs(x);
}

// Unsigned and at least as wide as int, or the product of two uint8 would be a signed int.
template <class T>
using Wrapping = std::make_unsigned_t<decltype(T() + T())>;
template <std::integral T>
T add(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
}
template <std::integral T>
T sub(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
}
template <std::integral T>
T mul(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
}
template <std::integral T>
T neg(T x) {
  return sub(T(0), x);
}
template <std::integral T>
T abs(T x) {
  return x < T(0) ? neg(x) : x;
}

#define MILGRAD_STANDARD(name, function) \
  template <std::floating_point T>       \
  T name(T x) {                          \
    return std::function(x);             \
  }
MILGRAD_STANDARD(sqrt, sqrt)
MILGRAD_STANDARD(exp, exp)
MILGRAD_STANDARD(expm1, expm1)
MILGRAD_STANDARD(log, log)
MILGRAD_STANDARD(log1p, log1p)
MILGRAD_STANDARD(sin, sin)
MILGRAD_STANDARD(cos, cos)
MILGRAD_STANDARD(tanh, tanh)
MILGRAD_STANDARD(erf, erf)
MILGRAD_STANDARD(floor, floor)
MILGRAD_STANDARD(round_half_even, nearbyint)
#undef MILGRAD_STANDARD

template <std::floating_point T>
T pow(T a, T b) {
  return std::pow(a, b);
}

}  // namespace math
#include "tensor/functors.h"
}  // namespace milgrad::cpu::scalar
#undef MILGRAD_FN
