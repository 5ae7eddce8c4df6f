// The thread-local modes.
#include "tensor/mode.h"

#include <deque>
#include <mutex>
#include <utility>

namespace milgrad {
namespace {

constexpr std::size_t kTracesRemembered = 8;

struct EndedTrace {
  std::uint64_t id;
  std::vector<std::string> descriptions;
};
std::mutex ended_mutex;
std::deque<EndedTrace> ended;

thread_local Recorder* recorder = nullptr;
thread_local bool tracking = true;
thread_local std::string scope;

}  // namespace

void remember_trace(std::uint64_t trace, std::vector<std::string> descriptions) {
  const std::lock_guard lock(ended_mutex);
  ended.push_back({trace, std::move(descriptions)});
  if (ended.size() > kTracesRemembered) ended.pop_front();
}

std::string describe_ended(TraceValue value) {
  const std::lock_guard lock(ended_mutex);
  for (const EndedTrace& trace : ended)
    if (trace.id == value.trace &&
        static_cast<std::size_t>(value.value) < trace.descriptions.size())
      return trace.descriptions[static_cast<std::size_t>(value.value)];
  return {};
}

Recorder* current_recorder() { return recorder; }
RecorderScope::RecorderScope(Recorder* next) : previous_(recorder) { recorder = next; }
RecorderScope::~RecorderScope() { recorder = previous_; }

bool grad_enabled() { return tracking; }
NoGrad::NoGrad() : previous_(tracking) { tracking = false; }
NoGrad::~NoGrad() { tracking = previous_; }

EnableGrad::EnableGrad() : previous_(tracking) { tracking = true; }
EnableGrad::~EnableGrad() { tracking = previous_; }

NameScope::NameScope(std::string_view name) : previous_length_(scope.size()) {
  if (!scope.empty()) scope += '/';
  scope += name;
}
NameScope::~NameScope() { scope.resize(previous_length_); }
const std::string& current_scope() { return scope; }

}  // namespace milgrad
