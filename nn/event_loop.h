// EventLoop: sends the events of a run to its callbacks, and goes through batches.
#pragma once

#include "nn/trainer_state.h"

#include <functional>
#include <ostream>

namespace milgrad::nn {

/// The callbacks of one fit(), evaluate() or predict(), which know their run while it lives: the
/// user's, then the history, then the progress line unless verbose is 0.
class EventLoop {
 public:
  EventLoop(Run run, const Callbacks& callbacks, std::function<bool()> interrupted = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Run& run() { return run_; }
  const Run& run() const { return run_; }
  History& history();

  /// Calls event(callback) for each.
  template <class Event>
  void send(const Event& event) const {
    for (const auto& callback : callbacks_) event(*callback);
  }
  /// Whether the user's hook asks to end; once true, always true.
  bool interrupted();

  /// Goes through all batches with the test events; ends early when interrupted. Metrics are reset
  /// before. Takes larger batches where nobody can tell but for rounding.
  void evaluate(TrainerState& state, const Batches& batches);
  /// Whether a callback watches the batches of evaluations and predictions.
  bool watches_inference_batches() const;

 private:
  class HistoryCallback;

  Run run_;
  Callbacks callbacks_;
  std::vector<Run*> outer_runs_;  // of the callbacks, if they evaluate or predict inside of a run
  std::shared_ptr<HistoryCallback> history_;
  std::function<bool()> asked_;
};

/// The running means of the state's loss and metrics, read when a callback asks.
BatchLogs batch_logs(const TrainerState& state);

}  // namespace milgrad::nn
