// Elementwise kernels: the way to the vector kernels for floating dtypes, and plain loops, which
// the compiler vectorises, for integers, comparisons, logic, where and cast.
#include "backends/cpu/elementwise_floating.h"
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/broadcast_loop.h"
#include "backends/cpu/scalar_math.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/thread_pool.h"

#include <algorithm>
#include <functional>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::plain::HWY_NAMESPACE {
namespace {

template <class In, class Out, class F>
void map(const Call& c, const F& f) {
  const In* x = c.in(0).as<In>();
  Out* out = c.out().as<Out>();
  parallel_ranges(c.out().numel, 1, [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) out[i] = f(x[i]);
  });
}

/// out = f(a, b) along a row; an operand that stands still is read once.
template <class In, class Out, class F>
void map_row(const F& f, const In* a, bool a_moves, const In* b, bool b_moves, Out* out,
             std::int64_t count) {
  if (a_moves && b_moves) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = f(a[i], b[i]);
  } else if (a_moves) {
    const In fixed = *b;
    for (std::int64_t i = 0; i < count; ++i) out[i] = f(a[i], fixed);
  } else if (b_moves) {
    const In fixed = *a;
    for (std::int64_t i = 0; i < count; ++i) out[i] = f(fixed, b[i]);
  } else {
    std::fill_n(out, count, f(*a, *b));
  }
}

template <class In, class Out, class F>
void map_pairs(const Call& c, const F& f) {
  if (const FlatOperands<2> flat(c); flat) {
    const In *a = c.in(0).as<In>(), *b = c.in(1).as<In>();
    parallel_ranges(c.out().numel, 1, [&](std::int64_t first, std::int64_t last) {
      map_row(f, a + flat.at(0, first), flat.moves(0), b + flat.at(1, first), flat.moves(1),
              c.out().as<Out>() + first, last - first);
    });
    return;
  }
  const BroadcastLoop<2> loop(c.out().shape, {&c.in(0).shape, &c.in(1).shape});
  parallel_rows(loop, [&](std::int64_t to, const auto& at, std::int64_t count) {
    map_row(f, c.in(0).as<In>() + at[0], loop.moves(0), c.in(1).as<In>() + at[1], loop.moves(1),
            c.out().as<Out>() + to, count);
  });
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
    visit_integer(c.out().dtype, [&]<class T>() { map<T, T>(c, F{}); });
}
template <class F>
void integer_binary(const Call& c) {
  if constexpr (TakesIntegers<F>)
    visit_integer(c.out().dtype, [&]<class T>() { map_pairs<T, T>(c, F{}); });
}

template <class F>
void compare(const Call& c) {
  visit_dtype(c.in(0).dtype, [&]<class T>() { map_pairs<T, bool>(c, F{}); });
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

/// Where the operands of a row begin, and which of them move.
template <class T>
struct Choice {
  const std::uint8_t* condition;
  const T *a, *b;
  bool condition_moves, a_moves, b_moves;

  void write(T* out, std::int64_t count) const {
    if (!condition_moves) {
      const T* chosen = *condition ? a : b;
      const bool moves = *condition ? a_moves : b_moves;
      moves ? std::copy_n(chosen, count, out) : std::fill_n(out, count, *chosen);
    } else if (a_moves) {
      (b_moves ? select_row<T, true, true> : select_row<T, true, false>)(condition, a, b, out,
                                                                         count);
    } else {
      (b_moves ? select_row<T, false, true> : select_row<T, false, false>)(condition, a, b, out,
                                                                           count);
    }
  }
};

template <class T>
void select(const Call& c) {
  const std::uint8_t* condition = c.in(0).as<std::uint8_t>();
  const T *a = c.in(1).as<T>(), *b = c.in(2).as<T>();
  T* out = c.out().as<T>();
  if (const FlatOperands<3> flat(c); flat) {
    parallel_ranges(c.out().numel, 1, [&](std::int64_t first, std::int64_t last) {
      Choice<T>{condition + flat.at(0, first),
                a + flat.at(1, first),
                b + flat.at(2, first),
                flat.moves(0),
                flat.moves(1),
                flat.moves(2)}
          .write(out + first, last - first);
    });
    return;
  }
  const BroadcastLoop<3> loop(c.out().shape, {&c.in(0).shape, &c.in(1).shape, &c.in(2).shape});
  parallel_rows(loop, [&](std::int64_t to, const auto& at, std::int64_t count) {
    Choice<T>{condition + at[0], a + at[1], b + at[2], loop.moves(0), loop.moves(1), loop.moves(2)}
        .write(out + to, count);
  });
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

void logical_not(const Call& c) { map<bool, bool>(c, std::logical_not<>{}); }
// Of bools, & and | without the branch of && and ||.
void logical_and(const Call& c) { map_pairs<bool, bool>(c, std::bit_and<>{}); }
void logical_or(const Call& c) { map_pairs<bool, bool>(c, std::bit_or<>{}); }
void logical_xor(const Call& c) { map_pairs<bool, bool>(c, std::not_equal_to<>{}); }

void isfinite(const Call& c) {
  visit_floating(c.in(0).dtype, [&]<class T>() {
    map<T, bool>(c, [](T x) { return std::abs(x) <= std::numeric_limits<T>::max(); });
  });
}

void where(const Call& c) {
  switch (size_of(c.out().dtype)) {
    case 1:
      return select<std::uint8_t>(c);
    case 4:
      return select<std::uint32_t>(c);
    default:
      return select<std::uint64_t>(c);
  }
}

void cast(const Call& c) {
  visit_dtype(c.in(0).dtype, [&]<class Given>() {
    using From = std::conditional_t<std::is_same_v<Given, bool>, std::uint8_t, Given>;
    visit_dtype(c.out().dtype,
                [&]<class To>() { map<From, To>(c, [](From x) { return convert<From, To>(x); }); });
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
