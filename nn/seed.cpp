// Streams of seeds.
#include "nn/seed.h"

#include "tensor/random.h"

#include <mutex>

namespace milgrad::nn {
namespace {

thread_local SeedScope* innermost = nullptr;

std::mutex stream_mutex;
std::uint64_t process_seed = 0;
std::uint64_t process_count = 0;

}  // namespace

void set_random_seed(std::uint64_t seed) {
  const std::lock_guard lock(stream_mutex);
  process_seed = seed;
  process_count = 0;
}

std::uint64_t next_seed() {
  if (innermost != nullptr) return derive_seed(innermost->stream_.seed, innermost->stream_.count++);
  const std::lock_guard lock(stream_mutex);
  return derive_seed(process_seed, process_count++);
}

SeedScope::SeedScope(std::uint64_t seed) : stream_{seed, 0}, previous_(innermost) {
  innermost = this;
}
SeedScope::~SeedScope() { innermost = previous_; }

}  // namespace milgrad::nn
