// CSVLogger: the epoch logs as a table in a file.
#pragma once

#include "nn/callbacks/callback.h"

#include <filesystem>

namespace milgrad::nn {

struct CsvLoggerOptions {
  char separator = ',';
  /// Keeps the rows of an existing file in front of the new ones.
  bool append = false;
};

/// Columns as Keras writes them: "epoch" (from 0) and the names of the first epoch, sorted; "val_"
/// columns holding NA if nothing was validated; lines end in \r\n, numbers have their shortest
/// digits. The whole table is written anew after every epoch, so that a reader never sees half a
/// row and the old or the new table survives any failure. Throws WriteError.
class CsvLoggerCallback final : public Callback {
 public:
  CsvLoggerCallback(std::filesystem::path path, const CsvLoggerOptions& options);

  void on_train_begin() override;
  void on_epoch_end(int epoch, Logs& logs) override;
  bool watches_inference_batches() const override { return false; }

 private:
  std::string row(int epoch, const Logs& logs) const;

  std::filesystem::path path_;
  CsvLoggerOptions options_;
  std::vector<std::string> names_;
  std::string table_;
};

std::shared_ptr<CsvLoggerCallback> CSVLogger(const std::filesystem::path& path,
                                             const CsvLoggerOptions& options = {});

}  // namespace milgrad::nn
