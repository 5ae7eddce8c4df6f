// ModelCheckpoint: saves the weights while a model is trained.
#pragma once

#include "nn/callbacks/monitor.h"

#include <filesystem>
#include <map>

namespace milgrad::nn {

struct ModelCheckpointOptions {
  std::string monitor = "val_loss";
  /// 1 prints what was decided and saved.
  int verbose = 0;
  /// Saves only when the monitored value improves; what stands at the path stays otherwise.
  bool save_best_only = false;
  MonitorMode mode = MonitorMode::automatic;
  /// Saves after this many batches, counted over epochs; 0: at the end of every epoch.
  std::int64_t save_every_batches = 0;
  /// The value that the first one has to beat.
  std::optional<double> initial_value_threshold = {};
  /// Keeps the file that is replaced as PATH.1.
  bool keep_previous = true;
  /// String attributes of the file's root group.
  std::map<std::string, std::string> root_attributes = {};
};

/// Writes PATH (ending in ".weights.h5") with optimizer state, creating its folder. The path may
/// hold fields in Python's format such as {epoch:02d} (from 1), {batch} and {val_loss:.2f}. The
/// best value is kept from one fit() to the next.
class ModelCheckpointCallback final : public MonitorCallback {
 public:
  ModelCheckpointCallback(std::string path, const ModelCheckpointOptions& options);

  void on_train_begin() override;
  void on_epoch_begin(int epoch) override { epoch_ = epoch; }
  void on_train_batch_end(std::int64_t batch, const BatchLogs& logs) override;
  void on_epoch_end(int epoch, Logs& logs) override;
  bool watches_inference_batches() const override { return false; }

  /// The file saved last and its epoch (from 0); empty before.
  const std::filesystem::path& saved_path() const { return saved_path_; }
  std::optional<int> saved_epoch() const { return saved_epoch_; }

 private:
  void check_fields() const;
  std::string path_of(std::optional<std::int64_t> batch, const Logs& logs) const;
  bool should_save(const Logs& logs, const std::string& path);
  void save(std::optional<std::int64_t> batch, const Logs& logs);
  void say(const std::string& text) const;

  std::string path_;
  ModelCheckpointOptions options_;
  int epoch_ = 0;
  std::int64_t batches_since_save_ = 0;
  std::filesystem::path saved_path_;
  std::optional<int> saved_epoch_;
};

/// Throws ValueError for another ending, and for save_best_only with save_every_batches and a
/// monitor that only exists at the end of an epoch ("val_...").
std::shared_ptr<ModelCheckpointCallback> ModelCheckpoint(
    const std::string& path, const ModelCheckpointOptions& options = {});

}  // namespace milgrad::nn
