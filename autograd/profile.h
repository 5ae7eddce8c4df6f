// Profile: where the time of a program goes, by operation and by node.
#pragma once

#include "autograd/program.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace milgrad {

/// Sums time, calls, FLOP and bytes of the kernel calls of programs that it watches. A program that
/// nobody watches pays nothing. FLOP and bytes are those that the operations declare for their
/// shapes (OpDef::cost), so that rates can be compared with what the machine can do.
class Profile {
 public:
  /// Keeps at most so many calls one by one, for chrome_trace(); sums have no limit.
  explicit Profile(std::size_t max_events = 200000);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// The observer to give to program.replay(); `name` ("train step") tells programs apart. Valid as
  /// long as the profile.
  ReplayObserver& of(const Program& program, const std::string& name);

  /// One kernel call of a program, at all of its replays.
  struct Row {
    std::string program;
    std::string operation;
    std::string node;  // "%7 linear (2, 3) (3, 4) -> (2, 4)  # dense"
    std::int64_t calls = 0;
    double seconds = 0;
    Cost cost;  // of one call
  };
  /// All rows, the most expensive first.
  std::vector<Row> rows() const;
  /// A table by operation, one of the 25 most expensive nodes, and the memory of programs and
  /// process.
  std::string table() const;
  /// The calls as JSON that chrome://tracing and Perfetto open. Times are in microseconds.
  std::string chrome_trace() const;

 private:
  class Watch;
  struct Event {
    const Row* row;
    double start;  // seconds since the first call
    double seconds;
  };
  using Clock = std::chrono::steady_clock;

  void record(Row& row, Clock::time_point start, Clock::time_point end);

  std::size_t max_events_;
  std::size_t dropped_events_ = 0;
  Clock::time_point origin_{};
  std::map<std::string, Row> rows_;            // by program and node; rows stay where they are
  std::map<std::string, std::string> memory_;  // per program: what its plan says
  std::deque<Event> events_;
  std::map<std::pair<const Program*, std::string>, std::unique_ptr<Watch>> watches_;
};

}  // namespace milgrad
