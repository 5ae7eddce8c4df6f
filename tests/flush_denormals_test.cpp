// The denormal mode: scopes, and the workers of the thread pool.
#include "backends/flush_denormals.h"

#include "backends/cpu/thread_pool.h"
#include "tests/values.h"

#include <array>
#include <limits>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

float sixteenth_of_the_smallest_normal() {
  volatile float x = std::numeric_limits<float>::min();
  x = x / 16;
  return x;
}

/// What each of 64 tiles gets, spread over two threads.
std::array<float, 64> results_of_tiles() {
  std::array<float, 64> results{};
  cpu::parallel_for(64, [&](std::int64_t tile) {
    results[static_cast<std::size_t>(tile)] = sixteenth_of_the_smallest_normal();
  });
  return results;
}

}  // namespace

TEST_CASE("flush denormals: holds for the scope, the innermost one decides") {
  CHECK_FALSE(FlushDenormals::active());
  CHECK(sixteenth_of_the_smallest_normal() > 0);
  {
    const FlushDenormals flush;
    CHECK(FlushDenormals::active());
    CHECK(sixteenth_of_the_smallest_normal() == 0);
    {
      const FlushDenormals keep(false);
      CHECK(sixteenth_of_the_smallest_normal() > 0);
    }
    CHECK(sixteenth_of_the_smallest_normal() == 0);
  }
  CHECK(sixteenth_of_the_smallest_normal() > 0);
}

TEST_CASE("flush denormals: workers compute in the mode of the thread they work for") {
  const test::Threads scope(2);
  for (int round = 0; round < 3; ++round) {
    for (const float x : results_of_tiles()) CHECK(x > 0);
    const FlushDenormals flush;
    for (const float x : results_of_tiles()) CHECK(x == 0);
  }
  set_num_threads(1);
  set_num_threads(2);
  {
    const FlushDenormals flush;  // the worker that starts here must not stay in this mode
    for (const float x : results_of_tiles()) CHECK(x == 0);
  }
  for (const float x : results_of_tiles()) CHECK(x > 0);
}
