// ModelCheckpoint: when to save, under which path, and what is said about it.
#include "nn/callbacks/model_checkpoint.h"

#include "nn/io/file.h"
#include "nn/model.h"

#include <ostream>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

constexpr std::string_view kEnding = ".weights.h5";

/// One field of the path, "epoch:02d" without its braces.
std::string format_field(std::string_view field, const Logs& values, std::int64_t epoch,
                         std::optional<std::int64_t> batch) {
  const std::size_t colon = field.find(':');
  const std::string_view name = field.substr(0, colon);
  const std::string format =
      colon == std::string_view::npos ? "{}" : fmt::format("{{{}}}", field.substr(colon));
  if (name == "epoch") return fmt::format(fmt::runtime(format), epoch);
  if (name == "batch" && batch) return fmt::format(fmt::runtime(format), *batch);
  const double value = values[name];
  return colon == std::string_view::npos ? number_text(value)
                                         : fmt::format(fmt::runtime(format), value);
}

/// The path with its fields filled in; "{{" and "}}" stand for braces.
std::string format_path(std::string_view path, const Logs& values, std::int64_t epoch,
                        std::optional<std::int64_t> batch) {
  std::string result;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool doubled = i + 1 < path.size() && path[i + 1] == path[i];
    if (path[i] != '{' || doubled) {
      result += path[i];
      if (doubled && (path[i] == '{' || path[i] == '}')) ++i;
      continue;
    }
    const std::size_t end = path.find('}', i);
    if (end == std::string_view::npos) throw ValueError("a { has no }");
    result += format_field(path.substr(i + 1, end - i - 1), values, epoch, batch);
    i = end;
  }
  return result;
}

std::string best_text(std::optional<double> best) {
  return best ? fmt::format("{:.5f}", *best) : "None";
}

}  // namespace

ModelCheckpointCallback::ModelCheckpointCallback(std::string path,
                                                 const ModelCheckpointOptions& options)
    : MonitorCallback("ModelCheckpoint", {.monitor = options.monitor, .mode = options.mode},
                      options.initial_value_threshold),
      path_(std::move(path)),
      options_(options) {
  if (!path_.ends_with(kEnding))
    throw ValueError(
        fmt::format("[ModelCheckpoint] the path {} does not end in {}", path_, kEnding));
  if (options.save_every_batches < 0)
    throw ValueError(fmt::format("[ModelCheckpoint] save_every_batches {}; expected 0 or more",
                                 options.save_every_batches));
  if (options.save_every_batches > 0 && options.save_best_only &&
      options.monitor.starts_with("val_"))
    throw ValueError(fmt::format("[ModelCheckpoint] \"{}\" is only known at the end of an epoch, "
                                 "but saving the best was asked for every {} batches",
                                 options.monitor, options.save_every_batches),
                     "monitor \"loss\", or leave save_every_batches at 0");
}

void ModelCheckpointCallback::on_train_begin() {
  if (options_.save_best_only) resolve();
  check_fields();
}

// A field that no log fills would otherwise only be noticed after an epoch of training.
void ModelCheckpointCallback::check_fields() const {
  const bool on_batches = options_.save_every_batches > 0;
  Logs known;
  for (const Run::Key& key : run().keys)
    if (!on_batches || !key.name.starts_with("val_")) known.set(key.name, 0);
  path_of(on_batches ? std::optional<std::int64_t>(0) : std::nullopt, known);
}

std::string ModelCheckpointCallback::path_of(std::optional<std::int64_t> batch,
                                             const Logs& logs) const {
  try {
    const auto number = batch ? std::optional(*batch + 1) : std::nullopt;
    return format_path(path_, logs, epoch_ + 1, number);
  } catch (const std::exception& error) {
    throw ValueError(fmt::format("[ModelCheckpoint] the path \"{}\" cannot be filled in: {}", path_,
                                 error.what()),
                     "fields are written {epoch:02d}, {val_loss:.2f}; known are epoch, batch "
                     "(where saved by batches) and " +
                         run().key_names());
  }
}

void ModelCheckpointCallback::on_train_batch_end(std::int64_t batch, const BatchLogs& logs) {
  if (options_.save_every_batches == 0) return;
  if (++batches_since_save_ < options_.save_every_batches) return;
  batches_since_save_ = 0;
  save(batch, logs.all());
}

void ModelCheckpointCallback::on_epoch_end(int /*epoch*/, Logs& logs) {
  if (options_.save_every_batches == 0) save({}, logs);
}

void ModelCheckpointCallback::say(const std::string& text) const {
  if (options_.verbose > 0) *run().output << fmt::format("\nEpoch {}: {}\n", epoch_ + 1, text);
}

bool ModelCheckpointCallback::should_save(const Logs& logs, const std::string& path) {
  if (!options_.save_best_only) {
    say("saving model to " + path);
    return true;
  }
  const double value = logs[monitor()];
  const std::string before = best_text(best());
  if (!improves(value, best())) {
    say(fmt::format("{} did not improve from {}", monitor(), before));
    return false;
  }
  say(fmt::format("{} improved from {} to {:.5f}, saving model to {}", monitor(), before, value,
                  path));
  set_best(value);
  return true;
}

void ModelCheckpointCallback::save(std::optional<std::int64_t> batch, const Logs& logs) {
  // An epoch without validation may lack the fields of the path as well.
  if (options_.save_best_only && !logs.find(monitor())) return;
  const std::string path = path_of(batch, logs);
  if (!should_save(logs, path)) return;
  const std::filesystem::path file(path);
  if (file.has_parent_path()) io::make_directories(file.parent_path());
  run().model->save_weights(
      file, {.root_attributes = options_.root_attributes, .keep_previous = options_.keep_previous});
  saved_path_ = file;
  saved_epoch_ = epoch_;
  say("finished saving model to " + path);
}

std::shared_ptr<ModelCheckpointCallback> ModelCheckpoint(const std::string& path,
                                                         const ModelCheckpointOptions& options) {
  return std::make_shared<ModelCheckpointCallback>(path, options);
}

}  // namespace milgrad::nn
