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

/// The block at a counter under a key: a bijection of the counter for each key.
MILGRAD_DEVICE constexpr PhiloxBlock philox(PhiloxBlock counter, std::uint32_t key0,
                                            std::uint32_t key1) {
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  std::uint32_t c0 = counter.words[0], c1 = counter.words[1], c2 = counter.words[2],
                c3 = counter.words[3];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * c0;
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * c2;
    c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c1 = static_cast<std::uint32_t>(product1);
    c3 = static_cast<std::uint32_t>(product0);
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return {{c0, c1, c2, c3}};
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
  return philox({{low(index), high(index), low(key.draw), high(key.draw)}}, low(key.seed),
                high(key.seed));
}

/// Further bits for the elements of the same block: a float64 number refines the float32 number of
/// the same key instead of being another one.
MILGRAD_DEVICE constexpr PhiloxBlock random_refinement(RandomKey key, std::uint64_t index) {
  return random_block({key.seed, key.draw ^ (std::uint64_t{1} << 63)}, index);
}

/// A multiple of 2^-24 in [0, 1) from the upper 24 bits of a word.
MILGRAD_DEVICE constexpr float unit_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

/// A multiple of 2^-53 in [0, 1) whose upper 24 bits are unit_float(word).
MILGRAD_DEVICE constexpr double unit_double(std::uint32_t word, std::uint32_t refinement) {
  const std::uint64_t bits = (std::uint64_t{word} << 32) | refinement;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace milgrad
