// The threads that CPU kernels share, and how a kernel spreads its tiles over them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace milgrad {

/// How many threads CPU operations may use, the calling one included. Throws ValueError below 1.
/// Results do not depend on it: it decides who computes a tile, never which tiles exist.
void set_num_threads(int count);
/// The number set, or at first that of the cores this process may run on.
int num_threads();

namespace cpu {

/// Elements that a tile of an elementwise kernel holds; work of fewer than kParallelTiles such
/// tiles stays on the calling thread, since waking another costs as much.
inline constexpr std::int64_t kTileElements = 16384;
inline constexpr std::int64_t kParallelTiles = 4;

/// While one exists, the threads wait for work by spinning (a millisecond at most, then they sleep
/// as always), so that a program of many short kernels need not wake them for each.
class KeepWorkersAwake {
 public:
  KeepWorkersAwake();
  ~KeepWorkersAwake();
  KeepWorkersAwake(const KeepWorkersAwake&) = delete;
  KeepWorkersAwake& operator=(const KeepWorkersAwake&) = delete;
};

namespace detail {
void parallel_for(std::int64_t tiles, void (*run)(const void*, std::int64_t), const void* body);

/// What parallel_owned() hands to another thread, copied so that one cache line tells all.
inline constexpr std::size_t kOwnedBodyBytes = 256;
void parallel_owned(std::int64_t parts, void (*run)(const void*, std::int64_t), const void* body,
                    std::size_t bytes, bool wake);
/// Elements of work that are worth waking a thread.
inline constexpr std::int64_t kWorthWaking = std::int64_t{1} << 18;
}  // namespace detail

/// Calls f(tile) for tile = 0..tiles-1 and returns when all are done: each thread begins with a
/// contiguous range and then helps the others. An exception of a tile comes out (of the first that
/// failed) after the others have run. Inside of another parallel_for, and while another thread's is
/// running, all tiles run on the caller.
template <class F>
void parallel_for(std::int64_t tiles, const F& f) {
  if (tiles == 1) return f(std::int64_t{0});
  detail::parallel_for(
      tiles, [](const void* body, std::int64_t tile) { (*static_cast<const F*>(body))(tile); }, &f);
}

/// Calls f(part) for part = 0..parts-1 and returns when all are done. Part i is always the same
/// thread's, which so keeps the memory that belongs to it in its own cache; only where that thread
/// sleeps or is kept from running does the caller do it. Made for work of a few microseconds:
/// starting and ending cost about one message between cores each. `weight` is the number of
/// elements that all parts touch; little work wakes no sleeping thread unless KeepWorkersAwake says
/// so. f is copied and should hold values rather than references: every line that another core has
/// to fetch costs as much as a message.
template <class F>
void parallel_owned(std::int64_t parts, std::int64_t weight, const F& f) {
  static_assert(std::is_trivially_copyable_v<F> && sizeof(F) <= detail::kOwnedBodyBytes);
  detail::parallel_owned(
      parts, [](const void* body, std::int64_t part) { (*static_cast<const F*>(body))(part); }, &f,
      sizeof(F), weight >= detail::kWorthWaking);
}

/// Whether so much work stays on the calling thread.
constexpr bool is_one_range(std::int64_t elements) {
  return elements < kParallelTiles * kTileElements;
}

/// Calls f(first, last) for ranges that make up 0..count-1; `weight` is the number of elements
/// behind each.
template <class F>
void parallel_ranges(std::int64_t count, std::int64_t weight, const F& f) {
  if (is_one_range(count * weight)) {
    if (count > 0) f(std::int64_t{0}, count);
    return;
  }
  const std::int64_t step = weight >= kTileElements ? 1 : kTileElements / weight;
  parallel_for((count + step - 1) / step, [&](std::int64_t tile) {
    const std::int64_t first = tile * step;
    f(first, first + step < count ? first + step : count);
  });
}

}  // namespace cpu
}  // namespace milgrad
