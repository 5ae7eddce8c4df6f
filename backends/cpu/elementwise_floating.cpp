// The functors applied to float and double vectors, compiled once per SIMD target.
#include "backends/cpu/elementwise_floating.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise_floating.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/broadcast_loop.h"
#include "backends/cpu/simd_memory.h"
#include "backends/cpu/thread_pool.h"

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

/// out = f(a) for any count: what is left at the end goes through a block of one vector.
template <class T, class F>
void map_row(const F& f, const T* a, T* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const std::int64_t whole = count / kLanes * kLanes, rest = count - whole;
  if (whole > 0) map_vectors(f, a, out, whole);
  if (rest == 0) return;
  HWY_ALIGN T block[kLanes];
  hn::Store(load_first(d, a + whole, rest, a[whole]), d, block);
  map_vectors(f, static_cast<const T*>(block), block, kLanes);
  store_first(hn::Load(d, block), d, out + whole, rest);
}

/// An operand of a row: one that does not move is a single element.
template <class T>
struct Operand {
  const T* data;
  bool moves;
};

template <class T, class F>
HWY_NOINLINE void map_moving(F f, const T* a, const T* b, T* out, std::int64_t count) {
  const hn::ScalableTag<T> d;
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < count; i += HWY_LANES(T))
    hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
}

/// out = f(a, b) for a whole number of vectors.
template <class T, class F>
HWY_INLINE void map_vectors(const F& f, Operand<T> a, Operand<T> b, T* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  if (a.moves && b.moves) {
    map_moving(f, a.data, b.data, out, count);
  } else if (a.moves) {
    const auto right = hn::Set(d, *b.data);
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < count; i += kLanes)
      hn::StoreU(f(hn::LoadU(d, a.data + i), right), d, out + i);
  } else {
    const auto left = hn::Set(d, *a.data);
    const auto fixed = hn::Set(d, *b.data);
    for (std::int64_t i = 0; i < count; i += kLanes)
      hn::StoreU(f(left, b.moves ? hn::LoadU(d, b.data + i) : fixed), d, out + i);
  }
}

template <class T, class F>
void map_row(const F& f, Operand<T> a, Operand<T> b, T* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const std::int64_t whole = count / kLanes * kLanes, rest = count - whole;
  if (whole > 0) map_vectors(f, a, b, out, whole);
  if (rest == 0) return;
  // What is left goes through blocks of one vector.
  HWY_ALIGN T block[2][kLanes];
  const auto load = [&](Operand<T> x, T* to) HWY_ATTR {
    hn::Store(x.moves ? load_first(d, x.data + whole, rest, x.data[whole]) : hn::Set(d, *x.data), d,
              to);
  };
  load(a, block[0]);
  load(b, block[1]);
  map_moving<T>(f, block[0], block[1], block[0], kLanes);
  store_first(hn::Load(d, block[0]), d, out + whole, rest);
}

template <class F>
void unary(const Call& c, const F& f) {
  visit_floating(c.out().dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    T* out = c.out().as<T>();
    parallel_ranges(c.out().numel, 1, [&](std::int64_t first, std::int64_t last) {
      map_row(f, x + first, out + first, last - first);
    });
  });
}

// Rows shorter than this are put together into blocks, or most of the time would go into the ends.
constexpr std::int64_t kShortRow = 64;
constexpr std::int64_t kBlock = 512;

template <class T, class F>
void map_short_rows(const F& f, const BroadcastLoop<2>& loop, const T* a, const T* b, T* out) {
  const std::int64_t length = loop.length(), a_step = loop.moves(0), b_step = loop.moves(1);
  parallel_ranges(loop.rows(), length, [&](std::int64_t first, std::int64_t last) {
    HWY_ALIGN T left[kBlock];
    HWY_ALIGN T right[kBlock];
    T* to = out + first * length;
    std::int64_t filled = 0;
    const auto flush = [&] {
      map_row<T>(f, {left, true}, {right, true}, to, filled);
      to += filled;
      filled = 0;
    };
    loop.for_rows(first, last, [&](std::int64_t, const auto& at) {
      if (filled + length > kBlock) flush();
      for (std::int64_t i = 0; i < length; ++i) {
        left[filled + i] = a[at[0] + i * a_step];
        right[filled + i] = b[at[1] + i * b_step];
      }
      filled += length;
    });
    flush();
  });
}

template <class F>
void binary(const Call& c, const F& f) {
  visit_floating(c.out().dtype, [&]<class T>() {
    const T *a = c.in(0).as<T>(), *b = c.in(1).as<T>();
    T* out = c.out().as<T>();
    if (const FlatOperands<2> flat(c); flat) {
      const bool a_moves = flat.moves(0), b_moves = flat.moves(1);
      parallel_ranges(c.out().numel, 1, [=](std::int64_t first, std::int64_t last) {
        map_row<T>(f, {a_moves ? a + first : a, a_moves}, {b_moves ? b + first : b, b_moves},
                   out + first, last - first);
      });
      return;
    }
    const BroadcastLoop<2> loop(c.out().shape, {&c.in(0).shape, &c.in(1).shape});
    if (loop.rows() > 1 && loop.length() < kShortRow) return map_short_rows(f, loop, a, b, out);
    const bool a_moves = loop.moves(0), b_moves = loop.moves(1);
    parallel_rows(loop, [=](std::int64_t to, const auto& at, std::int64_t count) {
      map_row<T>(f, {a + at[0], a_moves}, {b + at[1], b_moves}, out + to, count);
    });
  });
}

}  // namespace

#define OP(name)
#define UNARY(name) \
  void name(const Call& c) { unary(c, functors::name{}); }
#define BINARY(name) \
  void name(const Call& c) { binary(c, functors::name{}); }
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
