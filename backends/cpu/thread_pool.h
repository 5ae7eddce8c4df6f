// The threads that CPU kernels share, and how a kernel spreads its tiles over them.
#pragma once

#include <cstdint>

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

namespace detail {
void parallel_for(std::int64_t tiles, void (*run)(const void*, std::int64_t), const void* body);
}

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

/// Calls f(first, last) for ranges that make up 0..count-1; `weight` is the number of elements
/// behind each.
template <class F>
void parallel_ranges(std::int64_t count, std::int64_t weight, const F& f) {
  if (count * weight < kParallelTiles * kTileElements) {
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
