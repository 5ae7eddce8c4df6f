// Events of a run.
#include "nn/event_loop.h"

#include "nn/callbacks/progbar_logger.h"
#include "tensor/mode.h"

#include <algorithm>
#include <iostream>
#include <utility>

namespace milgrad::nn {

class EventLoop::HistoryCallback final : public Callback {
 public:
  void on_epoch_end(int epoch, Logs& logs) override { history.append(epoch, logs); }
  bool watches_inference_batches() const override { return false; }
  History history;
};

EventLoop::EventLoop(Run run, const Callbacks& callbacks, std::function<bool()> interrupted)
    : run_(std::move(run)),
      callbacks_(callbacks),
      history_(std::make_shared<HistoryCallback>()),
      asked_(std::move(interrupted)) {
  if (run_.output == nullptr) run_.output = &std::cout;
  for (const auto& callback : callbacks_) {
    if (callback == nullptr) throw ValueError("[callbacks] an empty pointer is no callback");
    for (const Run::Key& key : callback->added_keys()) run_.keys.push_back(key);
  }
  const bool own_progress =
      std::any_of(callbacks.begin(), callbacks.end(), [](const auto& callback) {
        return dynamic_cast<ProgbarLoggerCallback*>(callback.get()) != nullptr;
      });
  callbacks_.push_back(history_);
  if (run_.verbose > 0 && !own_progress) callbacks_.push_back(ProgbarLogger());
  for (const auto& callback : callbacks_) outer_runs_.push_back(callback->set_run(&run_));
}

EventLoop::~EventLoop() {
  for (std::size_t i = callbacks_.size(); i-- > 0;) callbacks_[i]->set_run(outer_runs_[i]);
}

History& EventLoop::history() { return history_->history; }

bool EventLoop::interrupted() {
  History& history = history_->history;
  history.interrupted = history.interrupted || (asked_ && asked_());
  return history.interrupted;
}

bool EventLoop::watches_inference_batches() const {
  return std::any_of(callbacks_.begin(), callbacks_.end(),
                     [](const auto& callback) { return callback->watches_inference_batches(); });
}

void EventLoop::evaluate(TrainerState& state, const Batches& given) {
  const bool apart =
      !watches_inference_batches() && state.evaluates_samples_apart(*run_.model, given.samples());
  Batches batches = apart ? given.enlarged() : given;
  state.reset_metrics();
  const BatchLogs logs = batch_logs(state);
  const NoGrad no_grad;
  const Tensor penalty = state.penalties();
  send([](Callback& c) { c.on_test_begin(); });
  for (std::int64_t i = 0; i < batches.size() && !interrupted(); ++i) {
    send([i](Callback& c) { c.on_test_batch_begin(i); });
    state.test_step(*run_.model, batches.load(i), penalty);
    send([&](Callback& c) { c.on_test_batch_end(i, logs); });
  }
  const Logs results = state.results();
  send([&](Callback& c) { c.on_test_end(results); });
}

BatchLogs batch_logs(const TrainerState& state) {
  return BatchLogs([&state] { return state.loss_mean.result(); },
                   [&state] { return state.results().sorted(); });
}

}  // namespace milgrad::nn
