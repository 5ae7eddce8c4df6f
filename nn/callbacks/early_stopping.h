// EarlyStopping: ends training when a value no longer improves.
#pragma once

#include "nn/callbacks/monitor.h"
#include "tensor/tensor.h"

namespace milgrad::nn {

struct EarlyStoppingOptions {
  std::string monitor = "val_loss";
  double min_delta = 0;
  /// Epochs without improvement before training ends; 0: ends at the first one (from the second
  /// epoch on).
  int patience = 0;
  /// 1 prints what was decided at the end.
  int verbose = 0;
  MonitorMode mode = MonitorMode::automatic;
  /// Waiting is only reset by values that also beat this one.
  std::optional<double> baseline = {};
  /// At the end, sets the weights of the best epoch, also when training ran to its last one. The
  /// optimizer's state stays. With monitor "loss" these are the weights at the end of the epoch
  /// whose mean over the epoch was best.
  bool restore_best_weights = false;
  /// Epochs before this one do not count.
  int start_from_epoch = 0;
};

class EarlyStoppingCallback final : public MonitorCallback {
 public:
  explicit EarlyStoppingCallback(const EarlyStoppingOptions& options);

  void on_train_begin() override;
  void on_epoch_end(int epoch, Logs& logs) override;
  void on_train_end(const Logs& logs) override;
  bool watches_inference_batches() const override { return false; }

  /// The epoch (from 0) after which training was ended; empty: it was not.
  std::optional<int> stopped_epoch() const { return stopped_epoch_; }
  /// The epoch (from 0) of best(); empty before the first value.
  std::optional<int> best_epoch() const { return best_epoch_; }

 private:
  void remember(int epoch);

  EarlyStoppingOptions options_;
  int wait_ = 0;
  std::optional<int> stopped_epoch_;
  std::optional<int> best_epoch_;
  Tensors best_weights_;
};

/// Throws ValueError for a negative patience.
std::shared_ptr<EarlyStoppingCallback> EarlyStopping(const EarlyStoppingOptions& options = {});

}  // namespace milgrad::nn
