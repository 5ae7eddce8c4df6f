// Elementwise kernels: the way to the vector kernels for floating dtypes, and plain loops, which
// the compiler vectorises, for integers, comparisons, logic, where and cast.
#include "backends/cpu/elementwise_floating.h"
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/elementwise_rows.h"
#include "backends/cpu/scalar_math.h"
#include "backends/cpu/simd.h"

#include <algorithm>
#include <functional>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::plain::HWY_NAMESPACE {
namespace {

template <class In, class Out, class F>
void unary_row(const void*, const RowOperand* x, void* out, std::int64_t count) {
  const F f;
  const In* from = x->as<In>();
  Out* to = static_cast<Out*>(out);
  for (std::int64_t i = 0; i < count; ++i) to[i] = f(from[i]);
}

/// An operand that stands still is read once.
template <class In, class Out, class F>
void binary_row(const void*, const RowOperand* operands, void* out, std::int64_t count) {
  const F f;
  const In *a = operands[0].as<In>(), *b = operands[1].as<In>();
  Out* to = static_cast<Out*>(out);
  if (operands[0].moves && operands[1].moves) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = f(a[i], b[i]);
  } else if (operands[0].moves) {
    const In fixed = *b;
    for (std::int64_t i = 0; i < count; ++i) to[i] = f(a[i], fixed);
  } else if (operands[1].moves) {
    const In fixed = *a;
    for (std::int64_t i = 0; i < count; ++i) to[i] = f(fixed, b[i]);
  } else {
    std::fill_n(to, count, f(*a, *b));
  }
}

template <class F>
concept TakesIntegers = requires {
  F::takes_integers;
};

template <class F>
void visit_integer(DType dtype, const F& f) {
  if (dtype == DType::int32) return f.template operator()<std::int32_t>();
  if (dtype == DType::int64) return f.template operator()<std::int64_t>();
  f.template operator()<std::uint8_t>();
}

/// For the dtypes besides the floating ones that the functor F takes; `infer` refused the others.
template <class F>
void integer_unary(const Call& c) {
  if constexpr (TakesIntegers<F>)
    visit_integer(c.out().dtype, [&]<class T>() { map_rows<1>(c, unary_row<T, T, F>); });
}
template <class F>
void integer_binary(const Call& c) {
  if constexpr (TakesIntegers<F>)
    visit_integer(c.out().dtype, [&]<class T>() { map_rows<2>(c, binary_row<T, T, F>); });
}

template <class F>
void compare(const Call& c) {
  visit_dtype(c.in(0).dtype, [&]<class T>() { map_rows<2>(c, binary_row<T, bool, F>); });
}

/// Bits, an unsigned integer as wide as the elements, let a mask choose: a branch on random
/// conditions costs ten times as much. Bools are read as bytes, or GCC does not vectorise.
template <class Bits, bool a_moves, bool b_moves>
void select_row(const std::uint8_t* condition, const Bits* a, const Bits* b, Bits* out,
                std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Bits left = a[a_moves ? i : 0], right = b[b_moves ? i : 0];
    const Bits mask = static_cast<Bits>(-static_cast<Bits>(condition[i]));
    out[i] = static_cast<Bits>((left & mask) | (right & ~mask));
  }
}

template <class Bits>
void where_row(const void*, const RowOperand* operands, void* out, std::int64_t count) {
  const RowOperand &condition = operands[0], &a = operands[1], &b = operands[2];
  const auto* chosen = condition.as<std::uint8_t>();
  Bits* to = static_cast<Bits*>(out);
  if (!condition.moves) {
    const RowOperand& only = *chosen ? a : b;
    const Bits* from = only.as<Bits>();
    only.moves ? std::copy_n(from, count, to) : std::fill_n(to, count, *from);
    return;
  }
  const auto row = a.moves ? b.moves ? select_row<Bits, true, true> : select_row<Bits, true, false>
                   : b.moves ? select_row<Bits, false, true>
                             : select_row<Bits, false, false>;
  row(chosen, a.as<Bits>(), b.as<Bits>(), to, count);
}

/// To an integer: values out of range become its nearest end and NaN 0, where C++ leaves the
/// result undefined.
template <class From, class To>
To convert_to(From x) {
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

template <class From, class To>
struct Convert {
  To operator()(From x) const { return convert_to<From, To>(x); }
};
template <class T>
struct IsFinite {
  bool operator()(T x) const { return std::abs(x) <= std::numeric_limits<T>::max(); }
};

}  // namespace

#define OP(name)
#define UNARY(name) \
  void name(const Call& c) { integer_unary<scalar::functors::name>(c); }
#define BINARY(name) \
  void name(const Call& c) { integer_binary<scalar::functors::name>(c); }
#define COMPARISON(name)
#include "tensor/ops.def"
#undef OP

void equal(const Call& c) { compare<std::equal_to<>>(c); }
void not_equal(const Call& c) { compare<std::not_equal_to<>>(c); }
void less(const Call& c) { compare<std::less<>>(c); }
void less_equal(const Call& c) { compare<std::less_equal<>>(c); }
void greater(const Call& c) { compare<std::greater<>>(c); }
void greater_equal(const Call& c) { compare<std::greater_equal<>>(c); }

void logical_not(const Call& c) { map_rows<1>(c, unary_row<bool, bool, std::logical_not<>>); }
// Of bools, & and | without the branch of && and ||.
void logical_and(const Call& c) { map_rows<2>(c, binary_row<bool, bool, std::bit_and<>>); }
void logical_or(const Call& c) { map_rows<2>(c, binary_row<bool, bool, std::bit_or<>>); }
void logical_xor(const Call& c) { map_rows<2>(c, binary_row<bool, bool, std::not_equal_to<>>); }

void isfinite(const Call& c) {
  visit_floating(c.in(0).dtype,
                 [&]<class T>() { map_rows<1>(c, unary_row<T, bool, IsFinite<T>>); });
}

void where(const Call& c) {
  switch (size_of(c.out().dtype)) {
    case 1:
      return map_rows<3>(c, where_row<std::uint8_t>);
    case 4:
      return map_rows<3>(c, where_row<std::uint32_t>);
    default:
      return map_rows<3>(c, where_row<std::uint64_t>);
  }
}

void cast(const Call& c) {
  visit_dtype(c.in(0).dtype, [&]<class Given>() {
    using From = std::conditional_t<std::is_same_v<Given, bool>, std::uint8_t, Given>;
    visit_dtype(c.out().dtype,
                [&]<class To>() { map_rows<1>(c, unary_row<From, To, Convert<From, To>>); });
  });
}

}  // namespace milgrad::cpu::plain::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {
namespace plain {

#define OP(name)
#define UNARY(name) \
  HWY_EXPORT(name); \
  void name(const Call& c) { MILGRAD_DISPATCH(name)(c); }
#define BINARY(name) UNARY(name)
#define COMPARISON(name) UNARY(name)
#include "tensor/ops.def"
#undef OP
#define PLAIN(name) \
  HWY_EXPORT(name); \
  void name(const Call& c) { MILGRAD_DISPATCH(name)(c); }
PLAIN(logical_not)
PLAIN(logical_and)
PLAIN(logical_or)
PLAIN(logical_xor)
PLAIN(isfinite)
PLAIN(where)
PLAIN(cast)
#undef PLAIN

}  // namespace plain

#define OP(name)
#define UNARY(name) \
  void name(const Call& c) { is_floating(c.out().dtype) ? floating::name(c) : plain::name(c); }
#define BINARY(name) UNARY(name)
#define COMPARISON(name) \
  void name(const Call& c) { plain::name(c); }
#include "tensor/ops.def"
#undef OP

void elu(const Call& c) { floating::elu(c); }
void clip(const Call& c) { floating::clip(c); }
void logical_not(const Call& c) { plain::logical_not(c); }
void logical_and(const Call& c) { plain::logical_and(c); }
void logical_or(const Call& c) { plain::logical_or(c); }
void logical_xor(const Call& c) { plain::logical_xor(c); }
void isfinite(const Call& c) { plain::isfinite(c); }
void where(const Call& c) { plain::where(c); }
void cast(const Call& c) { plain::cast(c); }

}  // namespace milgrad::cpu
#endif
