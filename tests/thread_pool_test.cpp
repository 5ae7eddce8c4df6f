// The threads of the CPU kernels.
#include "backends/cpu/thread_pool.h"

#include "tensor/error.h"
#include "tests/values.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;
using milgrad::test::Threads;

TEST_CASE("thread pool: every tile runs once, for any number of threads") {
  for (int threads : {1, 2, 3, 5}) {
    const Threads scope(threads);
    CHECK(num_threads() == threads);
    for (std::int64_t tiles : {0, 1, 2, 3, 4, 1000}) {
      std::vector<std::atomic<int>> runs(1000);
      cpu::parallel_for(tiles, [&](std::int64_t tile) { ++runs[static_cast<std::size_t>(tile)]; });
      for (std::size_t i = 0; i < runs.size(); ++i)
        CHECK(runs[i] == (static_cast<std::int64_t>(i) < tiles ? 1 : 0));
    }
  }
}

TEST_CASE("thread pool: each thread begins with a contiguous part and helps when it is done") {
  const Threads scope(2);
  std::vector<std::thread::id> ids(10);
  std::atomic<int> begun = 0, done = 0;
  cpu::parallel_for(10, [&](std::int64_t tile) {
    ids[static_cast<std::size_t>(tile)] = std::this_thread::get_id();
    // The first tiles of both parts wait for each other, then that of the second part for the rest.
    if (tile == 0 || tile == 5) {
      ++begun;
      while (begun < 2) std::this_thread::yield();
    }
    while (tile == 5 && done < 9) std::this_thread::yield();
    ++done;
  });
  for (std::size_t i = 0; i < 10; ++i) CHECK(ids[i] == (i == 5 ? ids[5] : ids[0]));
  CHECK(ids[0] == std::this_thread::get_id());
  CHECK(ids[5] != ids[0]);
}

TEST_CASE("thread pool: an exception of any tile comes out, and the pool goes on working") {
  const Threads scope(3);
  for (std::int64_t bad : {0, 5, 8}) {
    CHECK_THROWS_WITH_AS(cpu::parallel_for(9,
                                           [&](std::int64_t tile) {
                                             if (tile == bad) throw std::runtime_error("tile");
                                           }),
                         "tile", std::runtime_error);
    std::atomic<int> runs = 0;
    cpu::parallel_for(9, [&](std::int64_t) { ++runs; });
    CHECK(runs == 9);
  }
}

TEST_CASE("thread pool: calls inside of calls, and from several threads at once") {
  const Threads scope(3);
  std::atomic<int> runs = 0;
  const auto nested = [&] {
    cpu::parallel_for(4,
                      [&](std::int64_t) { cpu::parallel_for(5, [&](std::int64_t) { ++runs; }); });
  };
  nested();
  CHECK(runs == 20);
  runs = 0;
  std::vector<std::thread> users;
  for (int i = 0; i < 4; ++i)
    users.emplace_back([&] {
      for (int round = 0; round < 50; ++round) nested();
    });
  for (std::thread& user : users) user.join();
  CHECK(runs == 4 * 50 * 20);
}

TEST_CASE("thread pool: ranges cover all, and little work stays on the caller") {
  const Threads scope(2);
  for (std::int64_t weight : {1, 300, 1 << 20}) {
    const std::int64_t count = 200003;
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
    cpu::parallel_ranges(count, weight, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) ++runs[static_cast<std::size_t>(i)];
    });
    std::int64_t once = 0;
    for (const auto& run : runs) once += run == 1;
    CHECK(once == count);
  }
  int calls = 0;
  cpu::parallel_ranges(1000, 1, [&](std::int64_t first, std::int64_t last) {
    CHECK(first == 0);
    CHECK(last == 1000);
    ++calls;
  });
  CHECK(calls == 1);
}

TEST_CASE("thread pool: a count below 1 is refused") {
  const int before = num_threads();
  CHECK_THROWS_WITH_AS(set_num_threads(0), "[set_num_threads] got 0; expected at least 1",
                       ValueError);
  CHECK(num_threads() == before);
}

TEST_CASE("thread pool: owned parts run once each, and keep to their threads") {
  for (int threads : {1, 2, 3, 5}) {
    const Threads scope(threads);
    const cpu::KeepWorkersAwake awake;
    std::vector<std::atomic<int>> runs(4);
    std::vector<std::thread::id> ids(4);
    for (int round = 0; round < 2000; ++round)
      cpu::parallel_owned(4, 1, [runs = runs.data(), ids = ids.data()](std::int64_t part) {
        ++runs[part];
        ids[part] = std::this_thread::get_id();
      });
    for (const auto& count : runs) CHECK(count == 2000);
    CHECK(ids[0] == std::this_thread::get_id());
    if (threads == 1) CHECK(ids[3] == ids[0]);
  }
}

TEST_CASE("thread pool: owned parts, shared tiles and nested calls take turns") {
  const Threads scope(3);
  std::atomic<int> runs = 0;
  for (int round = 0; round < 300; ++round) {
    cpu::parallel_owned(3, 1 << 20, [&runs](std::int64_t) {
      cpu::parallel_owned(2, 1 << 20, [&runs](std::int64_t) { ++runs; });
      cpu::parallel_for(2, [&runs](std::int64_t) { ++runs; });
    });
    cpu::parallel_for(5, [&runs](std::int64_t) { ++runs; });
    // Long enough for the workers to fall asleep now and then.
    if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(runs == 300 * (3 * 4 + 5));
}

TEST_CASE("thread pool: an exception of an owned part comes out") {
  const Threads scope(2);
  for (std::int64_t bad : {0, 3})
    CHECK_THROWS_WITH_AS(cpu::parallel_owned(4, 1 << 20,
                                             [bad](std::int64_t part) {
                                               if (part == bad) throw std::runtime_error("part");
                                             }),
                         "part", std::runtime_error);
  std::atomic<int> runs = 0;
  cpu::parallel_owned(4, 1, [&runs](std::int64_t) { ++runs; });
  CHECK(runs == 4);
}
