// The thread-local modes.
#include "tensor/mode.h"

namespace milgrad {
namespace {

thread_local Recorder* recorder = nullptr;
thread_local bool tracking = true;
thread_local std::string scope;

}  // namespace

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
