// The functors applied to float and double vectors, compiled once per SIMD target.
#include "backends/cpu/elementwise_floating.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise_floating.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/elementwise_rows.h"
#include "backends/cpu/simd_memory.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

// Short loops are unrolled: their counters would cost as much as their work.
template <class T, class F>
HWY_NOINLINE void map_vectors(F f, const T* a, T* out, std::int64_t count) {
  const hn::ScalableTag<T> d;
  for (std::int64_t i = 0; i < count; i += HWY_LANES(T))
    hn::StoreU(f(hn::LoadU(d, a + i)), d, out + i);
}

/// For any count: what is left at the end goes through a block of one vector.
template <class T, class F>
void unary_row(const void* functor, const RowOperand* operand, void* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const F f = *static_cast<const F*>(functor);
  const T* x = operand->as<T>();
  T* to = static_cast<T*>(out);
  const std::int64_t whole = count / kLanes * kLanes, rest = count - whole;
  if (whole > 0) map_vectors(f, x, to, whole);
  if (rest == 0) return;
  HWY_ALIGN T block[kLanes];
  hn::Store(load_first(d, x + whole, rest, x[whole]), d, block);
  map_vectors(f, static_cast<const T*>(block), block, kLanes);
  store_first(hn::Load(d, block), d, to + whole, rest);
}

template <class T, class F>
HWY_NOINLINE void map_moving(F f, const T* a, const T* b, T* out, std::int64_t count) {
  const hn::ScalableTag<T> d;
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < count; i += HWY_LANES(T))
    hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
}

/// out = f(a, b) for a whole number of vectors.
template <class T, class F>
HWY_INLINE void map_vectors(F f, const RowOperand& a, const RowOperand& b, T* out,
                            std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const T *x = a.as<T>(), *y = b.as<T>();
  if (a.moves && b.moves) {
    map_moving(f, x, y, out, count);
  } else if (a.moves) {
    const auto right = hn::Set(d, *y);
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < count; i += kLanes)
      hn::StoreU(f(hn::LoadU(d, x + i), right), d, out + i);
  } else {
    const auto left = hn::Set(d, *x);
    const auto fixed = hn::Set(d, *y);
    for (std::int64_t i = 0; i < count; i += kLanes)
      hn::StoreU(f(left, b.moves ? hn::LoadU(d, y + i) : fixed), d, out + i);
  }
}

template <class T, class F>
void binary_row(const void*, const RowOperand* operands, void* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const F f;
  T* to = static_cast<T*>(out);
  const std::int64_t whole = count / kLanes * kLanes, rest = count - whole;
  if (whole > 0) map_vectors(f, operands[0], operands[1], to, whole);
  if (rest == 0) return;
  // What is left goes through blocks of one vector.
  HWY_ALIGN T block[2][kLanes];
  for (int i = 0; i < 2; ++i) {
    const T* x = operands[i].as<T>();
    const auto last = operands[i].moves ? load_first(d, x + whole, rest, x[whole]) : hn::Set(d, *x);
    hn::Store(last, d, block[i]);
  }
  map_moving<T>(f, block[0], block[1], block[0], kLanes);
  store_first(hn::Load(d, block[0]), d, to + whole, rest);
}

template <class F>
void unary(const Call& c, const F& f) {
  visit_floating(c.out().dtype, [&]<class T>() { map_rows<1>(c, unary_row<T, F>, &f); });
}
template <class F>
void binary(const Call& c) {
  visit_floating(c.out().dtype, [&]<class T>() { map_rows<2>(c, binary_row<T, F>); });
}

}  // namespace

#define OP(name)
#define UNARY(name) \
  void name(const Call& c) { unary(c, functors::name{}); }
#define BINARY(name) \
  void name(const Call& c) { binary<functors::name>(c); }
#include "tensor/ops.def"
#undef OP

void elu(const Call& c) { unary(c, functors::elu{c.get<NumberAttrs>().a}); }
void clip(const Call& c) {
  const auto [low, high] = c.get<NumberAttrs>();
  unary(c, functors::clip{low, high});
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

#define OP(name)
#define UNARY(name) HWY_EXPORT(name);
#define BINARY(name) HWY_EXPORT(name);
#include "tensor/ops.def"
#undef OP
HWY_EXPORT(elu);
HWY_EXPORT(clip);

namespace floating {

#define OP(name)
#define UNARY(name) \
  void name(const Call& c) { MILGRAD_DISPATCH(name)(c); }
#define BINARY(name) UNARY(name)
#include "tensor/ops.def"
#undef OP
void elu(const Call& c) { MILGRAD_DISPATCH(elu)(c); }
void clip(const Call& c) { MILGRAD_DISPATCH(clip)(c); }

}  // namespace floating
}  // namespace milgrad::cpu
#endif
