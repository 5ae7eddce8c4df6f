// Kernels of the random operations: element i of a tensor takes word i % 4 of Philox block i / 4.
// The loops are plain; each is compiled once per SIMD target and vectorised by the compiler.

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/random.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/simd.h"
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"
#include "tensor/normal_quantile.h"
#include "tensor/philox.h"

#include <algorithm>
#include <bit>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// Blocks drawn at once: 16 lanes of 32 bits fill the widest vectors.
constexpr int kLanes = 16;
constexpr std::int64_t kChunk = 4 * kLanes;

RandomKey key_of(const View& view) {
  const auto* words = view.as<std::int64_t>();
  return {std::bit_cast<std::uint64_t>(words[0]), std::bit_cast<std::uint64_t>(words[1])};
}

/// One round of kLanes blocks: philox_round() written for the compiler's vectoriser, which does not
/// see through arrays of structs.
void round_lanes(std::uint32_t (&c)[4][kLanes], PhiloxKey key) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t product0 = std::uint64_t{kPhiloxMultiplier0} * c[0][lane];
    const std::uint64_t product1 = std::uint64_t{kPhiloxMultiplier1} * c[2][lane];
    c[0][lane] = static_cast<std::uint32_t>(product1 >> 32) ^ c[1][lane] ^ key.words[0];
    c[1][lane] = static_cast<std::uint32_t>(product1);
    c[2][lane] = static_cast<std::uint32_t>(product0 >> 32) ^ c[3][lane] ^ key.words[1];
    c[3][lane] = static_cast<std::uint32_t>(product0);
  }
}

/// The words of kLanes blocks from block `index` on.
HWY_NOINLINE void draw_chunk(RandomKey key, std::uint64_t index, std::uint32_t* __restrict words) {
  HWY_ALIGN std::uint32_t c[4][kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t block = index + static_cast<std::uint64_t>(lane);
    c[0][lane] = static_cast<std::uint32_t>(block);
    c[1][lane] = static_cast<std::uint32_t>(block >> 32);
    c[2][lane] = static_cast<std::uint32_t>(key.draw);
    c[3][lane] = static_cast<std::uint32_t>(key.draw >> 32);
  }
  PhiloxKey round_key{
      {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)}};
  for (int round = 0; round < kPhiloxRounds; ++round) {
    round_lanes(c, round_key);
    round_key = next_round_key(round_key);
  }
  for (int lane = 0; lane < kLanes; ++lane)
    for (int j = 0; j < 4; ++j) words[4 * lane + j] = c[j][lane];
}

/// The word of a float32 number, or that of a float64 number with its refinement below.
template <class T>
using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

/// Calls put(first, count, bits) for chunks of at most kChunk elements.
template <class T, class Put>
void for_each_chunk(RandomKey key, std::int64_t total, const Put& put) {
  const std::int64_t chunks = (total + kChunk - 1) / kChunk;
  parallel_ranges(chunks, kChunk, [&](std::int64_t first_chunk, std::int64_t last_chunk) {
    HWY_ALIGN std::uint32_t words[kChunk], more[kChunk];
    HWY_ALIGN Bits<T> bits[kChunk];
    for (std::int64_t chunk = first_chunk; chunk < last_chunk; ++chunk) {
      const auto block = static_cast<std::uint64_t>(chunk * kLanes);
      draw_chunk(key, block, words);
      if constexpr (std::is_same_v<T, double>) draw_chunk(refinement_key(key), block, more);
      for (std::int64_t i = 0; i < kChunk; ++i) {
        bits[i] = words[i];
        if constexpr (std::is_same_v<T, double>) bits[i] = bits[i] << 32 | more[i];
      }
      put(chunk * kChunk, std::min(kChunk, total - chunk * kChunk), bits);
    }
  });
}

template <class T>
void fill_uniform(const View& out, RandomKey key, double low, double high) {
  const T from = static_cast<T>(low), width = static_cast<T>(high - low), to = static_cast<T>(high);
  // Rounding can carry a sum up to the bound, which does not belong to the range.
  const T largest = low < high ? std::nextafter(to, from) : to;
  for_each_chunk<T>(key, out.numel,
                    [=, data = out.as<T>()](std::int64_t first, std::int64_t count,
                                            const Bits<T>* __restrict bits) {
                      T* __restrict to_fill = data + first;
                      for (std::int64_t i = 0; i < count; ++i) {
                        const T x = from + width * unit_number(bits[i]);
                        to_fill[i] = x < largest ? x : largest;
                      }
                    });
}

template <class Draw>
void fill_normal(const Call& call, const Draw& draw) {
  const auto& attrs = call.get<RandomAttrs>();
  visit_floating(call.out().dtype, [&]<class T>() {
    T* out = call.out().as<T>();
    for_each_chunk<T>(key_of(call.in(0)), call.out().numel,
                      [&](std::int64_t first, std::int64_t count, const Bits<T>* bits) {
                        for (std::int64_t i = 0; i < count; ++i)
                          out[first + i] = static_cast<T>(attrs.a + attrs.b * draw(bits[i]));
                      });
  });
}

/// The first whole number of unit_number's numerator at which the number is not below the rate.
template <class T>
Bits<T> first_kept(double rate) {
  constexpr int kDigits = std::numeric_limits<T>::digits;
  return static_cast<Bits<T>>(
      std::ceil(std::ldexp(static_cast<double>(static_cast<T>(rate)), kDigits)));
}

}  // namespace

void random_uniform(const Call& call) {
  const auto& attrs = call.get<RandomAttrs>();
  visit_floating(call.out().dtype, [&]<class T>() {
    fill_uniform<T>(call.out(), key_of(call.in(0)), attrs.a, attrs.b);
  });
}

void random_uniform_like(const Call& call) {
  const NumberAttrs range = call.get<NumberAttrs>();
  visit_floating(call.out().dtype, [&]<class T>() {
    fill_uniform<T>(call.out(), key_of(call.in(1)), range.a, range.b);
  });
}

void random_normal(const Call& call) {
  fill_normal(call, [](auto bits) { return standard_normal(bits); });
}
void random_truncated_normal(const Call& call) {
  fill_normal(call, [](auto bits) { return truncated_normal_2(bits); });
}

void dropout(const Call& call) {
  const double rate = call.get<NumberAttrs>().a;
  visit_floating(call.out().dtype, [&]<class T>() {
    constexpr int kDropped = std::numeric_limits<Bits<T>>::digits - std::numeric_limits<T>::digits;
    const T kept_share = static_cast<T>(1 - rate);
    const Bits<T> keep_from = first_kept<T>(rate);
    for_each_chunk<T>(key_of(call.in(1)), call.out().numel,
                      [=, data = call.in(0).as<T>(), result = call.out().as<T>()](
                          std::int64_t first, std::int64_t count, const Bits<T>* __restrict bits) {
                        const T* __restrict x = data + first;
                        T* __restrict out = result + first;
                        for (std::int64_t i = 0; i < count; ++i) {
                          const T scaled = x[i] / kept_share;
                          out[i] = (bits[i] >> kDropped) >= keep_from ? scaled : T{0};
                        }
                      });
  });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(random_uniform);
HWY_EXPORT(random_uniform_like);
HWY_EXPORT(random_normal);
HWY_EXPORT(random_truncated_normal);
HWY_EXPORT(dropout);

void random_uniform(const Call& call) { MILGRAD_DISPATCH(random_uniform)(call); }
void random_uniform_like(const Call& call) { MILGRAD_DISPATCH(random_uniform_like)(call); }
void random_normal(const Call& call) { MILGRAD_DISPATCH(random_normal)(call); }
void random_truncated_normal(const Call& call) { MILGRAD_DISPATCH(random_truncated_normal)(call); }
void dropout(const Call& call) { MILGRAD_DISPATCH(dropout)(call); }

void next_key(const Call& call) {
  auto* state = call.in(0).as<std::int64_t>();
  auto* key = call.out().as<std::int64_t>();
  key[0] = state[0];
  key[1] = state[1];
  ++state[1];
}

}  // namespace milgrad::cpu
#endif
