// ProgbarLogger: shows how far an epoch, an evaluation or a prediction is.
#pragma once

#include "nn/callbacks/callback.h"
#include "nn/callbacks/progbar.h"

#include <optional>

namespace milgrad::nn {

struct ProgbarLoggerOptions {
  /// terminal_style() of the run's output unless given.
  std::optional<TerminalStyle> style = {};
  /// Seconds; by default a steady clock.
  std::function<double()> now = {};
};

/// Keras's text (verbose 1: a line that is rewritten, 2: a line per epoch); validation inside of
/// fit() is silent. Where the output is no terminal, verbose 1 writes one plain line per epoch
/// without escape bytes. Added by fit(), evaluate() and predict() unless verbose is 0.
class ProgbarLoggerCallback final : public Callback {
 public:
  explicit ProgbarLoggerCallback(ProgbarLoggerOptions options) : options_(std::move(options)) {}

  void on_train_begin() override { in_fit_ = true; }
  void on_train_end(const Logs& /*logs*/) override { progbar_.reset(); }
  void on_epoch_begin(int epoch) override;
  void on_train_batch_end(std::int64_t batch, const BatchLogs& logs) override;
  void on_epoch_end(int epoch, Logs& logs) override;
  void on_test_begin() override;
  void on_test_batch_end(std::int64_t batch, const BatchLogs& logs) override;
  void on_test_end(const Logs& logs) override;
  void on_predict_begin() override;
  void on_predict_batch_end(std::int64_t batch) override;
  void on_predict_end() override;
  bool watches_inference_batches() const override { return !in_fit_; }

 private:
  void start();
  void step(std::int64_t batch, const BatchLogs* logs);
  void finish(const Logs& logs, const std::string& prefix = {});

  ProgbarLoggerOptions options_;
  bool in_fit_ = false;
  bool rewrites_ = false;
  int epoch_ = 0;
  std::optional<Progbar> progbar_;
};

std::shared_ptr<ProgbarLoggerCallback> ProgbarLogger(const ProgbarLoggerOptions& options = {});

}  // namespace milgrad::nn
