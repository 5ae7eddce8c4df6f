// Callback: the base of everything that watches and steers a training, the library's and your own.
#pragma once

#include "nn/logs.h"
#include "nn/metrics/metric.h"

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace milgrad::nn {

class Model;

/// What callbacks see of the fit(), evaluate() or predict() they take part in.
struct Run {
  /// A name in the epoch logs, and whether greater values are better.
  struct Key {
    std::string name;
    Direction direction = Direction::none;
  };

  Model* model = nullptr;
  int verbose = 0;
  int epochs = 1;
  /// Batches per epoch.
  std::int64_t steps = 0;
  /// Every name that the epoch logs will have.
  std::vector<Key> keys = {};
  /// Where texts go; never null during a run.
  std::ostream* output = nullptr;
  /// Set by a callback: training ends after this batch, of the first epoch at the earliest;
  /// validation and on_epoch_end still run.
  bool stop_training = false;

  /// "accuracy, loss, val_loss"
  std::string key_names() const;
  const Key* find_key(std::string_view name) const;
};

/// Receives the events of training in Keras's order; epochs and batches count from 0. Override what
/// you need. Events of validation come as test events during fit().
class Callback {
 public:
  Callback() = default;
  virtual ~Callback() = default;
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  virtual void on_train_begin() {}
  /// Gets the logs of the last epoch. Not called if an exception ends the training.
  virtual void on_train_end(const Logs& /*logs*/) {}
  virtual void on_epoch_begin(int /*epoch*/) {}
  /// Values added to the logs are seen by the callbacks behind this one, and by the history.
  virtual void on_epoch_end(int /*epoch*/, Logs& /*logs*/) {}
  virtual void on_train_batch_begin(std::int64_t /*batch*/) {}
  virtual void on_train_batch_end(std::int64_t /*batch*/, const BatchLogs& /*logs*/) {}
  virtual void on_test_begin() {}
  virtual void on_test_end(const Logs& /*logs*/) {}
  virtual void on_test_batch_begin(std::int64_t /*batch*/) {}
  virtual void on_test_batch_end(std::int64_t /*batch*/, const BatchLogs& /*logs*/) {}
  virtual void on_predict_begin() {}
  virtual void on_predict_end() {}
  virtual void on_predict_batch_begin(std::int64_t /*batch*/) {}
  virtual void on_predict_batch_end(std::int64_t /*batch*/) {}

  /// Whether on_test_batch_... and on_predict_batch_... mean something to it. Where no callback of
  /// a run watches these batches, evaluations and predictions may go through larger ones than asked
  /// for, which is faster.
  virtual bool watches_inference_batches() const { return true; }

  /// The names that on_epoch_end adds to the logs, so that other callbacks may monitor them.
  virtual std::vector<Run::Key> added_keys() const { return {}; }

  /// Called before the first event; returns the run before, which goes on afterwards.
  Run* set_run(Run* run) { return std::exchange(run_, run); }

 protected:
  /// Throws ValueError outside of a run.
  Run& run() const;

 private:
  Run* run_ = nullptr;
};

using Callbacks = std::vector<std::shared_ptr<Callback>>;

}  // namespace milgrad::nn
