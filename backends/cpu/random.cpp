// Kernels of the random operations: element i of a tensor takes word i % 4 of Philox block i / 4.
#include "backends/kernel_table.h"
#include "tensor/normal_quantile.h"
#include "tensor/philox.h"

#include <bit>
#include <cmath>

namespace milgrad::cpu {
namespace {

RandomKey key_of(const View& view) {
  const auto* words = view.as<std::int64_t>();
  return {std::bit_cast<std::uint64_t>(words[0]), std::bit_cast<std::uint64_t>(words[1])};
}

/// Calls put(i, word, refinement) for every element; float32 numbers take the middle of what their
/// word leaves open instead of a refinement.
template <class T, class Put>
void for_each_draw(RandomKey key, std::int64_t count, const Put& put) {
  constexpr std::uint32_t kMiddle = 0x80000000u;
  for (std::int64_t first = 0; first < count; first += 4) {
    const auto index = static_cast<std::uint64_t>(first / 4);
    const PhiloxBlock block = random_block(key, index);
    PhiloxBlock refinement{{kMiddle, kMiddle, kMiddle, kMiddle}};
    if constexpr (std::is_same_v<T, double>) refinement = random_refinement(key, index);
    const int used = static_cast<int>(std::min<std::int64_t>(4, count - first));
    for (int j = 0; j < used; ++j) put(first + j, block.words[j], refinement.words[j]);
  }
}

template <class T>
T unit(std::uint32_t word, std::uint32_t refinement) {
  if constexpr (std::is_same_v<T, float>)
    return unit_float(word);
  else
    return unit_double(word, refinement);
}

template <class T>
void fill_uniform(const View& out, RandomKey key, double low, double high) {
  const T from = static_cast<T>(low), width = static_cast<T>(high - low), to = static_cast<T>(high);
  // Rounding can carry a sum up to the bound, which does not belong to the range.
  const T largest = low < high ? std::nextafter(to, from) : to;
  for_each_draw<T>(key, out.numel, [&](std::int64_t i, std::uint32_t word, std::uint32_t more) {
    out.as<T>()[i] = std::min(from + width * unit<T>(word, more), largest);
  });
}

template <class Draw>
void fill_normal(const Call& call, const Draw& draw) {
  const auto& attrs = call.get<RandomAttrs>();
  visit_floating(call.out().dtype, [&]<class T>() {
    T* out = call.out().as<T>();
    for_each_draw<T>(key_of(call.in(0)), call.out().numel,
                     [&](std::int64_t i, std::uint32_t word, std::uint32_t more) {
                       out[i] = static_cast<T>(attrs.a + attrs.b * draw(word, more));
                     });
  });
}

/// unit<T>(word, refinement) >= rate, decided on the bits.
template <class T>
struct Keep {
  static constexpr int kBits = std::is_same_v<T, float> ? 24 : 53;
  explicit Keep(double rate)
      : first_kept(static_cast<std::uint64_t>(
            std::ceil(std::ldexp(static_cast<double>(static_cast<T>(rate)), kBits)))) {}
  bool operator()(std::uint32_t word, std::uint32_t refinement) const {
    return (((std::uint64_t{word} << 32) | refinement) >> (64 - kBits)) >= first_kept;
  }
  std::uint64_t first_kept;
};

}  // namespace

void next_key(const Call& call) {
  auto* state = call.in(0).as<std::int64_t>();
  auto* key = call.out().as<std::int64_t>();
  key[0] = state[0];
  key[1] = state[1];
  ++state[1];
}

void random_uniform(const Call& call) {
  const auto& attrs = call.get<RandomAttrs>();
  visit_floating(call.out().dtype, [&]<class T>() {
    fill_uniform<T>(call.out(), key_of(call.in(0)), attrs.a, attrs.b);
  });
}

void random_uniform_like(const Call& call) {
  const auto [low, high] = call.get<NumberAttrs>();
  visit_floating(call.out().dtype,
                 [&]<class T>() { fill_uniform<T>(call.out(), key_of(call.in(1)), low, high); });
}

void random_normal(const Call& call) { fill_normal(call, standard_normal); }
void random_truncated_normal(const Call& call) { fill_normal(call, truncated_normal_2); }

void dropout(const Call& call) {
  const double rate = call.get<NumberAttrs>().a;
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<T>();
    T* out = call.out().as<T>();
    const Keep<T> keep(rate);
    const T kept_share = static_cast<T>(1 - rate);
    for_each_draw<T>(key_of(call.in(1)), call.out().numel,
                     [&](std::int64_t i, std::uint32_t word, std::uint32_t more) {
                       out[i] = keep(word, more) ? x[i] / kept_share : T{0};
                     });
  });
}

}  // namespace milgrad::cpu
