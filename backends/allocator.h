// The caching allocator of each device.
#pragma once

#include "tensor/device.h"

#include <cstddef>

namespace milgrad {

/// Uninitialised memory aligned to 64 bytes. Freed blocks are kept and handed out again, because a
/// fresh page costs more than most kernels (about 0.3 ms per MB of first touches). Thread-safe.
std::byte* allocate(std::size_t bytes, Device device);
void deallocate(std::byte* data, std::size_t bytes, Device device) noexcept;

struct MemoryStatistics {
  std::size_t in_use = 0;       // bytes handed out now
  std::size_t peak_in_use = 0;  // the most that was ever handed out
  std::size_t held = 0;         // bytes taken from the system, in use or cached
};
MemoryStatistics memory_statistics(Device device);

/// Lets peak_in_use begin again at what is in use.
void reset_peak_memory(Device device);

/// Returns all cached blocks to the system.
void release_cached_memory(Device device);

}  // namespace milgrad
