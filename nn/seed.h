// Where the seeds of initializers and random layers come from.
#pragma once

#include <cstdint>

namespace milgrad::nn {

/// Starts the process-wide stream of seeds anew: what is built afterwards in the same order draws
/// the same numbers. Without it the stream starts at seed 0.
void set_random_seed(std::uint64_t seed);

/// The next seed of the innermost SeedScope of this thread, else of the process-wide stream. All
/// seeds of a stream differ.
std::uint64_t next_seed();

/// While it lives, everything built on this thread takes its seeds from a stream of its own, so
/// that a model does not depend on what was built before it.
class SeedScope {
 public:
  explicit SeedScope(std::uint64_t seed);
  ~SeedScope();
  SeedScope(const SeedScope&) = delete;
  SeedScope& operator=(const SeedScope&) = delete;

 private:
  struct Stream {
    std::uint64_t seed;
    std::uint64_t count;
  };
  friend std::uint64_t next_seed();
  Stream stream_;
  SeedScope* previous_;
};

}  // namespace milgrad::nn
