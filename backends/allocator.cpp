// Size-class free lists over aligned system memory; big blocks ask for huge pages.
#include "backends/allocator.h"

#include "tensor/error.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include <sys/mman.h>

namespace milgrad {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Four size classes per power of two: at most 25 % of a block is unused.
constexpr std::size_t kClasses = 4 * 64;

std::size_t class_of(std::size_t bytes) {
  const std::size_t units = (bytes + kAlignment - 1) / kAlignment;
  if (units <= 4) return units;
  const auto log = static_cast<std::size_t>(std::bit_width(units - 1)) - 1;
  const std::size_t quarter = std::size_t{1} << (log - 2);
  return 4 * (log - 1) + (units - (std::size_t{1} << log) + quarter - 1) / quarter;
}

std::size_t bytes_of_class(std::size_t index) {
  if (index <= 4) return (index == 0 ? 1 : index) * kAlignment;
  const std::size_t log = index / 4 + 1, quarters = index % 4;
  return ((std::size_t{1} << log) + quarters * (std::size_t{1} << (log - 2))) * kAlignment;
}

class CpuCache {
 public:
  std::byte* take(std::size_t bytes) {
    const std::size_t index = class_of(bytes), size = bytes_of_class(index);
    std::lock_guard lock(mutex_);
    statistics_.in_use += size;
    if (statistics_.in_use > statistics_.peak_in_use) statistics_.peak_in_use = statistics_.in_use;
    auto& list = free_[index];
    if (!list.empty()) {
      std::byte* block = list.back();
      list.pop_back();
      return block;
    }
    void* block = std::aligned_alloc(size >= kHugePage ? kHugePage : kAlignment, round_up(size));
    if (block == nullptr) {
      statistics_.in_use -= size;
      throw std::bad_alloc();
    }
    if (size >= kHugePage) madvise(block, round_up(size), MADV_HUGEPAGE);
    statistics_.held += size;
    return static_cast<std::byte*>(block);
  }

  void give(std::byte* block, std::size_t bytes) noexcept {
    const std::size_t index = class_of(bytes);
    std::lock_guard lock(mutex_);
    statistics_.in_use -= bytes_of_class(index);
    try {
      free_[index].push_back(block);
    } catch (const std::bad_alloc&) {
      statistics_.held -= bytes_of_class(index);
      std::free(block);
    }
  }

  void release() {
    std::lock_guard lock(mutex_);
    for (std::size_t index = 0; index < kClasses; ++index) {
      for (std::byte* block : free_[index]) std::free(block);
      statistics_.held -= free_[index].size() * bytes_of_class(index);
      free_[index].clear();
    }
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    statistics_.peak_in_use = statistics_.in_use;
  }

  MemoryStatistics statistics() {
    std::lock_guard lock(mutex_);
    return statistics_;
  }

 private:
  static std::size_t round_up(std::size_t size) {
    const std::size_t unit = size >= kHugePage ? kHugePage : kAlignment;
    return (size + unit - 1) / unit * unit;
  }

  std::mutex mutex_;
  std::array<std::vector<std::byte*>, kClasses> free_;
  MemoryStatistics statistics_;
};

// Never destroyed: tensors held by other static objects may be freed after it.
CpuCache& cpu_cache() {
  static CpuCache* cache = new CpuCache;
  return *cache;
}

void require_cpu(Device device) {
  if (device.kind != Device::Kind::cpu)
    throw DeviceError("[allocate] no memory on " + device.to_string(),
                      "this build has no CUDA backend; use Device::cpu()");
}

}  // namespace

std::byte* allocate(std::size_t bytes, Device device) {
  require_cpu(device);
  return cpu_cache().take(bytes);
}

void deallocate(std::byte* data, std::size_t bytes, Device) noexcept {
  cpu_cache().give(data, bytes);
}

MemoryStatistics memory_statistics(Device device) {
  require_cpu(device);
  return cpu_cache().statistics();
}

void reset_peak_memory(Device device) {
  require_cpu(device);
  cpu_cache().reset_peak();
}

void release_cached_memory(Device device) {
  require_cpu(device);
  cpu_cache().release();
}

}  // namespace milgrad
