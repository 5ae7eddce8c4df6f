// The functions of a chain's steps, each over a block of whole vectors; compiled once per SIMD
// target, as simd.h says. Bools between steps are masks as wide as the numbers.
#if defined(MILGRAD_BACKENDS_CPU_CHAIN_STEPS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_CHAIN_STEPS_H
#undef MILGRAD_BACKENDS_CPU_CHAIN_STEPS_H
#else
#define MILGRAD_BACKENDS_CPU_CHAIN_STEPS_H
#endif

#include "backends/cpu/simd.h"
#include "tensor/chain.h"

#include <array>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

/// Where a value of a tile begins, and by how many elements it moves for each vector: 0 if all of
/// the tile meets one element, of which there is a vector full.
template <class T>
struct TileValue {
  const T* data;
  std::int64_t step;
};

/// out[0..count) = f(operands of the step among the values); count is a whole number of vectors.
template <class T>
using StepFunction = void (*)(T* out, const TileValue<T>* values, std::int64_t count,
                              const ChainProgram::Step& step, const double* numbers);

namespace steps {

template <class V>
using Mask = hn::Mask<hn::DFromV<V>>;
template <class V>
HWY_INLINE V as_vector(Mask<V> mask) {
  return hn::VecFromMask(hn::DFromV<V>(), mask);
}

/// Comparisons as the operators of C++ define them, also for NaN.
struct equal {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return as_vector<V>(hn::Eq(a, b));
  }
};
struct not_equal {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return as_vector<V>(hn::Not(hn::Eq(a, b)));
  }
};
struct less {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return as_vector<V>(hn::Lt(a, b));
  }
};
struct less_equal {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return as_vector<V>(hn::Le(a, b));
  }
};
struct greater {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return as_vector<V>(hn::Gt(a, b));
  }
};
struct greater_equal {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return as_vector<V>(hn::Ge(a, b));
  }
};

struct logical_not {
  template <class V>
  HWY_INLINE V operator()(V a) const {
    return hn::Not(a);
  }
};
struct logical_and {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::And(a, b);
  }
};
struct logical_or {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Or(a, b);
  }
};
struct logical_xor {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Xor(a, b);
  }
};

struct isfinite {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    constexpr double kLargest = std::numeric_limits<hn::TFromV<V>>::max();
    return as_vector<V>(hn::Le(hn::Abs(x), math::constant(x, kLargest)));
  }
};
struct copy {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return x;
  }
};
struct bool_to_number {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return hn::And(x, math::constant(x, 1));
  }
};
struct number_to_bool {
  template <class V>
  HWY_INLINE V operator()(V x) const {
    return as_vector<V>(hn::Not(hn::Eq(x, math::constant(x, 0))));
  }
};

struct where {
  template <class V>
  HWY_INLINE V operator()(V condition, V a, V b) const {
    return hn::IfThenElse(hn::MaskFromVec(condition), a, b);
  }
};

/// The functor of a step: those with numbers get them.
template <class F>
HWY_INLINE F functor(const ChainProgram::Step& step, [[maybe_unused]] const double* numbers) {
  if constexpr (std::is_same_v<F, functors::elu>)
    return {numbers[step.numbers]};
  else if constexpr (std::is_same_v<F, functors::clip>)
    return {numbers[step.numbers], numbers[step.numbers + 1]};
  else
    return {};
}

// Short loops are unrolled: their counters would cost as much as their work.
template <class F, class T>
HWY_NOINLINE void unary(T* out, const TileValue<T>* values, std::int64_t count,
                        const ChainProgram::Step& step, const double* numbers) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const F f = functor<F>(step, numbers);
  const auto [a, a_step] = values[step.operands[0]];
  if (a_step == 0) {
    const auto y = f(hn::LoadU(d, a));
    for (std::int64_t i = 0; i < count; i += kLanes) hn::StoreU(y, d, out + i);
    return;
  }
  for (std::int64_t i = 0; i < count; i += kLanes) hn::StoreU(f(hn::LoadU(d, a + i)), d, out + i);
}

template <class F, class T>
HWY_NOINLINE void binary(T* out, const TileValue<T>* values, std::int64_t count,
                         const ChainProgram::Step& step, const double*) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const F f;
  const auto [a, a_step] = values[step.operands[0]];
  const auto [b, b_step] = values[step.operands[1]];
  if (a_step != 0 && b_step != 0) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < count; i += kLanes)
      hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  } else if (a_step != 0) {
    const auto right = hn::LoadU(d, b);
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < count; i += kLanes)
      hn::StoreU(f(hn::LoadU(d, a + i), right), d, out + i);
  } else {
    const auto left = hn::LoadU(d, a);
    const T* right = b;
    for (std::int64_t i = 0; i < count; i += kLanes, right += b_step)
      hn::StoreU(f(left, hn::LoadU(d, right)), d, out + i);
  }
}

template <class F, class T>
HWY_NOINLINE void ternary(T* out, const TileValue<T>* values, std::int64_t count,
                          const ChainProgram::Step& step, const double*) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const F f;
  auto [a, a_step] = values[step.operands[0]];
  auto [b, b_step] = values[step.operands[1]];
  auto [c, c_step] = values[step.operands[2]];
  for (std::int64_t i = 0; i < count; i += kLanes, a += a_step, b += b_step, c += c_step)
    hn::StoreU(f(hn::LoadU(d, a), hn::LoadU(d, b), hn::LoadU(d, c)), d, out + i);
}

template <class T>
constexpr auto make_table() {
  std::array<StepFunction<T>, ChainProgram::kFunctions> table{};
  const auto at = [&](auto function) -> StepFunction<T>& {
    return table[static_cast<std::size_t>(function)];
  };
#define OP(name)
#define UNARY(name) at(Op::name) = &unary<functors::name, T>;
#define BINARY(name) at(Op::name) = &binary<functors::name, T>;
#define COMPARISON(name) at(Op::name) = &binary<steps::name, T>;
#include "tensor/ops.def"
#undef OP
  at(Op::elu) = &unary<functors::elu, T>;
  at(Op::clip) = &unary<functors::clip, T>;
  at(Op::isfinite) = &unary<isfinite, T>;
  at(Op::logical_not) = &unary<logical_not, T>;
  at(Op::logical_and) = &binary<logical_and, T>;
  at(Op::logical_or) = &binary<logical_or, T>;
  at(Op::logical_xor) = &binary<logical_xor, T>;
  at(Op::where) = &ternary<where, T>;
  at(ChainProgram::kCopy) = &unary<copy, T>;
  at(ChainProgram::kBoolToNumber) = &unary<bool_to_number, T>;
  at(ChainProgram::kNumberToBool) = &unary<number_to_bool, T>;
  return table;
}

template <class T>
inline constexpr auto kTable = make_table<T>();

}  // namespace steps
}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_CHAIN_STEPS_H
