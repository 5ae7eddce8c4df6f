// Random numbers: a generator whose counter is a Variable, and host-side draws from the same keys.
#pragma once

#include "tensor/philox.h"
#include "tensor/variable.h"

#include <cstdint>
#include <vector>

namespace milgrad {

/// Gives a fresh key per draw. The state (seed, number of draws so far) is a Variable, so it is
/// saved, restored and advanced inside of programs like any other. Copies share the state.
class RandomGenerator {
 public:
  explicit RandomGenerator(std::uint64_t seed);
  /// Of dtype int64 and shape (2,), as state() gives it.
  explicit RandomGenerator(Variable state);

  /// A key for random_uniform(), dropout(), ...: int64 [2], different at every call.
  Tensor next_key() const;
  const Variable& state() const { return state_; }
  /// Starts again from this seed.
  void reseed(std::uint64_t seed) const;

 private:
  Variable state_;
};

/// The numbers of one key in sequence, on the host: shuffling, drawing bags, choosing seeds.
class RandomSequence {
 public:
  explicit RandomSequence(RandomKey key) : key_(key) {}
  /// Reads a key tensor; throws TraceError inside a trace.
  explicit RandomSequence(const Tensor& key);

  std::uint32_t next_word();
  std::uint64_t next_bits();
  /// A whole number in 0..limit-1, all equally likely (Lemire, "Fast random integer generation in
  /// an interval", ACM TOMACS 29, 2019). Throws ValueError if limit is 0.
  std::uint64_t below(std::uint64_t limit);
  /// A multiple of 2^-53 in [0, 1).
  double unit();
  double normal();

 private:
  RandomKey key_;
  std::uint64_t block_index_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

/// The numbers 0..count-1 in random order: the Durstenfeld form of the Fisher-Yates shuffle, from
/// the last position down, with RandomSequence::below(). The same on every machine.
std::vector<std::int64_t> random_permutation(RandomSequence& random, std::int64_t count);
std::vector<std::int64_t> random_permutation(const Tensor& key, std::int64_t count);

/// A seed of its own for part `index` (an ensemble member, a layer) of something seeded by `seed`.
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index);

}  // namespace milgrad
