// EarlyStopping's counting follows Keras 3 epoch by epoch; only NaN is never the best value.
#include "nn/callbacks/early_stopping.h"

#include "nn/model.h"

#include <cmath>
#include <ostream>

#include <fmt/format.h>

namespace milgrad::nn {

EarlyStoppingCallback::EarlyStoppingCallback(const EarlyStoppingOptions& options)
    : MonitorCallback(
          "EarlyStopping",
          {.monitor = options.monitor, .mode = options.mode, .min_delta = options.min_delta}),
      options_(options) {
  if (options.patience < 0)
    throw ValueError(
        fmt::format("[EarlyStopping] patience {}; expected 0 or more epochs", options.patience));
}

void EarlyStoppingCallback::on_train_begin() {
  resolve();
  wait_ = 0;
  stopped_epoch_.reset();
  best_epoch_.reset();
  set_best({});
  best_weights_.clear();
}

void EarlyStoppingCallback::remember(int epoch) {
  best_epoch_ = epoch;
  if (options_.restore_best_weights) best_weights_ = run().model->get_weights();
}

void EarlyStoppingCallback::on_epoch_end(int epoch, Logs& logs) {
  const auto value = logs.find(monitor());
  if (!value || epoch < options_.start_from_epoch) return;
  ++wait_;
  if (improves(*value, best())) {
    set_best(value);
    remember(epoch);
    if (!options_.baseline || improves(*value, options_.baseline)) wait_ = 0;
    return;
  }
  if (wait_ >= options_.patience && epoch > 0) {
    stopped_epoch_ = epoch;
    run().stop_training = true;
  }
}

void EarlyStoppingCallback::on_train_end(const Logs& /*logs*/) {
  const bool speak = options_.verbose > 0;
  if (stopped_epoch_ && speak)
    *run().output << fmt::format("Epoch {}: early stopping\n", *stopped_epoch_ + 1);
  if (best_weights_.empty()) return;
  if (speak)
    *run().output << fmt::format("Restoring model weights from the end of the best epoch: {}.\n",
                                 *best_epoch_ + 1);
  run().model->set_weights(best_weights_);
}

std::shared_ptr<EarlyStoppingCallback> EarlyStopping(const EarlyStoppingOptions& options) {
  return std::make_shared<EarlyStoppingCallback>(options);
}

}  // namespace milgrad::nn
