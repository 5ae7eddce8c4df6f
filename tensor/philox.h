// Philox4x32-10: counter-based random numbers, the same on every device and for every thread
// count. Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// Includes nothing of the host, so that kernels of every backend can use it.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define MILGRAD_DEVICE __host__ __device__
#else
#define MILGRAD_DEVICE
#endif

namespace milgrad {

/// Four random words.
struct PhiloxBlock {
  std::uint32_t words[4];
};
struct PhiloxKey {
  std::uint32_t words[2];
};
inline constexpr int kPhiloxRounds = 10;
inline constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53, kPhiloxMultiplier1 = 0xCD9E8D57;

/// One round: two products whose upper halves are mixed with the other words and the key.
MILGRAD_DEVICE constexpr PhiloxBlock philox_round(PhiloxBlock c, PhiloxKey key) {
  const std::uint64_t product0 = std::uint64_t{kPhiloxMultiplier0} * c.words[0];
  const std::uint64_t product1 = std::uint64_t{kPhiloxMultiplier1} * c.words[2];
  return {{static_cast<std::uint32_t>(product1 >> 32) ^ c.words[1] ^ key.words[0],
           static_cast<std::uint32_t>(product1),
           static_cast<std::uint32_t>(product0 >> 32) ^ c.words[3] ^ key.words[1],
           static_cast<std::uint32_t>(product0)}};
}

/// The key of the next round: a Weyl sequence.
MILGRAD_DEVICE constexpr PhiloxKey next_round_key(PhiloxKey key) {
  return {{key.words[0] + 0x9E3779B9u, key.words[1] + 0xBB67AE85u}};
}

/// The block at a counter under a key: a bijection of the counter for each key.
MILGRAD_DEVICE constexpr PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    counter = philox_round(counter, key);
    key = next_round_key(key);
  }
  return counter;
}

/// What next_key() gives: a seed and the number of the draw. Each pair has its own 2^64 blocks.
struct RandomKey {
  std::uint64_t seed;
  std::uint64_t draw;
};

/// Block `index` of a key's numbers; element i of a tensor takes word i % 4 of block i / 4.
MILGRAD_DEVICE constexpr PhiloxBlock random_block(RandomKey key, std::uint64_t index) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  return philox({{low(index), high(index), low(key.draw), high(key.draw)}},
                {{low(key.seed), high(key.seed)}});
}

/// The key of further bits for the same elements: a float64 number has those of the float32 number
/// above them, and refines it instead of being another one.
MILGRAD_DEVICE constexpr RandomKey refinement_key(RandomKey key) {
  return {key.seed, key.draw ^ (std::uint64_t{1} << 63)};
}

/// A multiple of 2^-24 in [0, 1) from a word.
MILGRAD_DEVICE constexpr float unit_number(std::uint32_t word) {
  // Through int, which vector units convert directly.
  return static_cast<float>(static_cast<std::int32_t>(word >> 8)) * 0x1p-24f;
}

/// A multiple of 2^-53 in [0, 1) from a word above its refinement.
MILGRAD_DEVICE constexpr double unit_number(std::uint64_t bits) {
  return static_cast<double>(static_cast<std::int64_t>(bits >> 11)) * 0x1p-53;
}

}  // namespace milgrad
