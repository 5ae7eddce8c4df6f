// ProgbarLogger: which events draw, which finish the line.
#include "nn/callbacks/progbar_logger.h"

#include <ostream>

#include <fmt/format.h>

namespace milgrad::nn {

void ProgbarLoggerCallback::start() {
  TerminalStyle style = options_.style ? *options_.style : terminal_style(*run().output);
  style.terminal = style.terminal && run().verbose == 1;
  rewrites_ = style.terminal;
  progbar_.emplace(*run().output,
                   ProgbarOptions{.target = run().steps, .style = style, .now = options_.now});
}

void ProgbarLoggerCallback::step(std::int64_t batch, const BatchLogs* logs) {
  if (progbar_) progbar_->update(batch + 1, [&] { return logs ? logs->all() : Logs(); });
}

void ProgbarLoggerCallback::finish(const Logs& logs, const std::string& prefix) {
  if (progbar_) progbar_->finish(logs, prefix);
  progbar_.reset();
}

void ProgbarLoggerCallback::on_epoch_begin(int epoch) {
  epoch_ = epoch;
  start();
  const bool own_line = rewrites_ || run().verbose == 2;
  if (own_line && run().epochs > 1)
    *run().output << fmt::format("Epoch {}/{}\n", epoch + 1, run().epochs) << std::flush;
}

void ProgbarLoggerCallback::on_train_batch_end(std::int64_t batch, const BatchLogs& logs) {
  step(batch, &logs);
}

void ProgbarLoggerCallback::on_epoch_end(int /*epoch*/, Logs& logs) {
  const bool one_line = !rewrites_ && run().verbose == 1 && run().epochs > 1;
  finish(logs, one_line ? fmt::format("Epoch {}/{} - ", epoch_ + 1, run().epochs) : "");
}

void ProgbarLoggerCallback::on_test_begin() {
  if (!in_fit_) start();
}

void ProgbarLoggerCallback::on_test_batch_end(std::int64_t batch, const BatchLogs& logs) {
  if (!in_fit_) step(batch, &logs);
}

void ProgbarLoggerCallback::on_test_end(const Logs& logs) {
  if (!in_fit_) finish(logs);
}

void ProgbarLoggerCallback::on_predict_begin() { start(); }

void ProgbarLoggerCallback::on_predict_batch_end(std::int64_t batch) { step(batch, nullptr); }

void ProgbarLoggerCallback::on_predict_end() { finish({}); }

std::shared_ptr<ProgbarLoggerCallback> ProgbarLogger(const ProgbarLoggerOptions& options) {
  return std::make_shared<ProgbarLoggerCallback>(options);
}

}  // namespace milgrad::nn
