// TerminateOnNaN: ends training at a loss that is NaN or infinite.
#pragma once

#include "nn/callbacks/callback.h"

namespace milgrad::nn {

struct TerminateOnNaNOptions {
  /// Throw NonFiniteError instead of printing a line and ending the training.
  bool raise_error = false;
};

/// Looks at the running mean of the loss after every batch, as Keras does; once a batch's loss is
/// not finite, the mean is not either.
class TerminateOnNaNCallback final : public Callback {
 public:
  explicit TerminateOnNaNCallback(const TerminateOnNaNOptions& options) : options_(options) {}
  void on_epoch_begin(int epoch) override { epoch_ = epoch; }
  void on_train_batch_end(std::int64_t batch, const BatchLogs& logs) override;
  bool watches_inference_batches() const override { return false; }

 private:
  TerminateOnNaNOptions options_;
  int epoch_ = 0;
};

std::shared_ptr<TerminateOnNaNCallback> TerminateOnNaN(const TerminateOnNaNOptions& options = {});

}  // namespace milgrad::nn
