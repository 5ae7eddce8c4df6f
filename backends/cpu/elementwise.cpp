// Elementwise kernels.
#include "backends/cpu/broadcast_loop.h"
#include "backends/cpu/scalar_math.h"
#include "backends/kernel_table.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace milgrad::cpu {
namespace {

template <class F>
concept TakesIntegers = requires {
  F::takes_integers;
};

/// Calls f.operator()<T>() for the dtypes that the functor F takes.
template <class F, class Body>
void visit_for(DType dtype, const Body& body) {
  if (is_floating(dtype)) return visit_floating(dtype, body);
  if constexpr (TakesIntegers<F>) {
    if (dtype == DType::int32) return body.template operator()<std::int32_t>();
    if (dtype == DType::int64) return body.template operator()<std::int64_t>();
    return body.template operator()<std::uint8_t>();
  }
}

template <class In, class Out, class F>
void map(const Call& c, const F& f) {
  const In* x = c.in(0).as<In>();
  Out* out = c.out().as<Out>();
  const std::int64_t count = c.out().numel;
  for (std::int64_t i = 0; i < count; ++i) out[i] = f(x[i]);
}

template <class F>
void unary(const Call& c, const F& f = {}) {
  visit_for<F>(c.out().dtype, [&]<class T>() { map<T, T>(c, f); });
}

/// out = f(a, b), row by row; the four loops are those that a compiler can vectorise.
template <class In, class Out, class F>
void map_pairs(const Call& c, const F& f) {
  const BroadcastLoop<2> loop(c.out().shape, {&c.in(0).shape, &c.in(1).shape});
  const std::int64_t length = loop.length();
  const bool a_moves = loop.moves(0), b_moves = loop.moves(1);
  loop.for_rows(0, loop.rows(), [&](std::int64_t row, const auto& at) {
    const In *a = c.in(0).as<In>() + at[0], *b = c.in(1).as<In>() + at[1];
    Out* out = c.out().as<Out>() + row;
    if (a_moves && b_moves)
      for (std::int64_t i = 0; i < length; ++i) out[i] = f(a[i], b[i]);
    else if (a_moves)
      for (std::int64_t i = 0; i < length; ++i) out[i] = f(a[i], *b);
    else if (b_moves)
      for (std::int64_t i = 0; i < length; ++i) out[i] = f(*a, b[i]);
    else
      std::fill_n(out, length, f(*a, *b));
  });
}

template <class F>
void binary(const Call& c) {
  visit_for<F>(c.out().dtype, [&]<class T>() { map_pairs<T, T>(c, F{}); });
}

template <class F>
void compare(const Call& c) {
  visit_dtype(c.in(0).dtype, [&]<class T>() { map_pairs<T, bool>(c, F{}); });
}

/// To an integer: values out of range become its nearest end and NaN 0, where C++ leaves the
/// result undefined.
template <class From, class To>
To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    // max() + 1 is a power of two, hence exact; max() itself may not be.
    constexpr From kEnd = static_cast<From>(Limits::max() / 2 + 1) * From(2);
    if (!(x < kEnd)) return x != x ? To(0) : Limits::max();
    return x <= static_cast<From>(Limits::min()) ? Limits::min() : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class T>
void select(const Call& c) {
  const BroadcastLoop<3> loop(c.out().shape, {&c.in(0).shape, &c.in(1).shape, &c.in(2).shape});
  const std::int64_t length = loop.length();
  const std::int64_t steps[] = {loop.moves(0), loop.moves(1), loop.moves(2)};
  loop.for_rows(0, loop.rows(), [&](std::int64_t row, const auto& at) {
    const bool* condition = c.in(0).as<bool>() + at[0];
    const T *a = c.in(1).as<T>() + at[1], *b = c.in(2).as<T>() + at[2];
    T* out = c.out().as<T>() + row;
    for (std::int64_t i = 0; i < length; ++i)
      out[i] = condition[i * steps[0]] ? a[i * steps[1]] : b[i * steps[2]];
  });
}

}  // namespace

#define OP(name)
#define UNARY(name) \
  void name(const Call& c) { unary<scalar::functors::name>(c); }
#define BINARY(name) \
  void name(const Call& c) { binary<scalar::functors::name>(c); }
#include "tensor/ops.def"
#undef OP

void elu(const Call& c) { unary(c, scalar::functors::elu{c.get<NumberAttrs>().a}); }
void clip(const Call& c) {
  const auto [low, high] = c.get<NumberAttrs>();
  unary(c, scalar::functors::clip{low, high});
}

void equal(const Call& c) { compare<std::equal_to<>>(c); }
void not_equal(const Call& c) { compare<std::not_equal_to<>>(c); }
void less(const Call& c) { compare<std::less<>>(c); }
void less_equal(const Call& c) { compare<std::less_equal<>>(c); }
void greater(const Call& c) { compare<std::greater<>>(c); }
void greater_equal(const Call& c) { compare<std::greater_equal<>>(c); }

void logical_not(const Call& c) { map<bool, bool>(c, std::logical_not<>{}); }
void logical_and(const Call& c) { map_pairs<bool, bool>(c, std::logical_and<>{}); }
void logical_or(const Call& c) { map_pairs<bool, bool>(c, std::logical_or<>{}); }
void logical_xor(const Call& c) { map_pairs<bool, bool>(c, std::not_equal_to<>{}); }

void isfinite(const Call& c) {
  visit_floating(c.in(0).dtype,
                 [&]<class T>() { map<T, bool>(c, [](T x) { return std::isfinite(x); }); });
}

void where(const Call& c) {
  visit_dtype(c.out().dtype, [&]<class T>() { select<T>(c); });
}

void cast(const Call& c) {
  visit_dtype(c.in(0).dtype, [&]<class From>() {
    visit_dtype(c.out().dtype, [&]<class To>() { map<From, To>(c, convert<From, To>); });
  });
}

}  // namespace milgrad::cpu
