// LambdaCallback: a callback made of functions.
#pragma once

#include "nn/callbacks/callback.h"

#include <functional>

namespace milgrad::nn {

/// Functions for the events that are wanted; each also gets the run, whose stop_training it may
/// set.
struct LambdaCallbackOptions {
  std::function<void(Run&)> on_train_begin = {};
  std::function<void(Run&, const Logs&)> on_train_end = {};
  std::function<void(Run&, int epoch)> on_epoch_begin = {};
  std::function<void(Run&, int epoch, Logs&)> on_epoch_end = {};
  std::function<void(Run&, std::int64_t batch)> on_train_batch_begin = {};
  std::function<void(Run&, std::int64_t batch, const BatchLogs&)> on_train_batch_end = {};
};

std::shared_ptr<Callback> LambdaCallback(const LambdaCallbackOptions& options);

}  // namespace milgrad::nn
