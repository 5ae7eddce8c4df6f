// The functors applied to float and double vectors, compiled once per SIMD target.
#include "backends/cpu/elementwise_floating.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise_floating.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/broadcast_loop.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// Operands of a row: those that stand still are read as one vector again and again.
template <class T, int count>
struct Operands {
  const T* data[count];
  bool moves[count];
};

/// out = f(operands) for a whole number of vectors.
template <class T, int n, class F>
HWY_NOINLINE void map_vectors(F f, Operands<T, n> in, T* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  const hn::ScalableTag<T> d;
  const T* a = in.data[0];
  const T* b = in.data[n - 1];
  const std::int64_t a_step = in.moves[0] ? kLanes : 0, b_step = in.moves[n - 1] ? kLanes : 0;
  for (std::int64_t i = 0; i < count; i += kLanes) {
    if constexpr (n == 1)
      hn::StoreU(f(hn::LoadU(d, a)), d, out + i);
    else
      hn::StoreU(f(hn::LoadU(d, a), hn::LoadU(d, b)), d, out + i);
    a += a_step;
    b += b_step;
  }
}

/// The same for any count: what is left at the end goes through blocks of one vector.
template <class T, int n, class F>
void map_row(const F& f, Operands<T, n> in, T* out, std::int64_t count) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  HWY_ALIGN T block[n][kLanes];
  for (int k = 0; k < n; ++k) {
    if (in.moves[k]) continue;
    for (T& lane : block[k]) lane = *in.data[k];
    in.data[k] = block[k];
  }
  const std::int64_t whole = count / kLanes * kLanes, rest = count - whole;
  if (whole > 0) map_vectors(f, in, out, whole);
  if (rest == 0) return;
  for (int k = 0; k < n; ++k) {
    if (!in.moves[k]) continue;
    for (std::int64_t i = 0; i < kLanes; ++i) block[k][i] = in.data[k][whole + (i < rest ? i : 0)];
    in.data[k] = block[k];
  }
  HWY_ALIGN T last[kLanes];
  map_vectors(f, in, last, kLanes);
  for (std::int64_t i = 0; i < rest; ++i) out[whole + i] = last[i];
}

template <class F>
void unary(const Call& c, const F& f) {
  visit_floating(c.out().dtype, [&]<class T>() {
    const T* x = c.in(0).as<T>();
    T* out = c.out().as<T>();
    parallel_ranges(c.out().numel, 1, [&](std::int64_t first, std::int64_t last) {
      map_row<T, 1>(f, {{x + first}, {true}}, out + first, last - first);
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
      map_row<T, 2>(f, {{left, right}, {true, true}}, to, filled);
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
  const BroadcastLoop<2> loop(c.out().shape, {&c.in(0).shape, &c.in(1).shape});
  visit_floating(c.out().dtype, [&]<class T>() {
    const T *a = c.in(0).as<T>(), *b = c.in(1).as<T>();
    T* out = c.out().as<T>();
    if (loop.rows() > 1 && loop.length() < kShortRow) return map_short_rows(f, loop, a, b, out);
    parallel_rows(loop, [&](std::int64_t to, const auto& at, std::int64_t count) {
      map_row<T, 2>(f, {{a + at[0], b + at[1]}, {loop.moves(0), loop.moves(1)}}, out + to, count);
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
