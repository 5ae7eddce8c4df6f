// `mil train`: the Keras example, from digits to pictures.
#include "backends/cpu/thread_pool.h"
#include "examples/mil/bags.h"
#include "examples/mil/commands.h"
#include "examples/mil/dataset.h"
#include "examples/mil/evaluation.h"
#include "examples/mil/example_model.h"
#include "examples/mil/figures/curves.h"
#include "examples/mil/option_table.h"
#include "examples/mil/pictures.h"
#include "examples/mil/signals.h"
#include "examples/mil/system_facts.h"
#include "examples/mil/trained.h"
#include "nn/callbacks.h"
#include "nn/io/file.h"
#include "nn/optimizers.h"
#include "tensor/random.h"

#include <chrono>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A run: its options, its bags and where it writes.
class Training {
 public:
  Training(const TrainOptions& options, Console& console)
      : options_(options), console_(console), folder_(options.out) {}

  ExitCode run();

 private:
  struct Member {
    std::shared_ptr<nn::EarlyStoppingCallback> early_stopping;  // null: not asked for
    std::shared_ptr<nn::ModelCheckpointCallback> checkpoint;
    nn::History history;
  };

  void print_counts(const Bags& bags) const;
  nn::ClassWeights class_weights() const;
  nn::Ensemble build_members() const;
  nn::FitOptions fit_options(int member, const nn::ClassWeights& weights);
  std::string file_of(int member, const std::string& single, const std::string& several) const;
  void fit(nn::Ensemble& members);
  void load_best(nn::Ensemble& members);
  void draw_curves(int member) const;
  nlohmann::json report(const nn::Ensemble& members);
  nlohmann::json report_validation(const nn::Ensemble& members, const Predictions& predictions);
  nlohmann::json report_test(const nn::Ensemble& members);
  nlohmann::json report_members() const;

  const TrainOptions& options_;
  Console& console_;
  fs::path folder_;
  Clock::time_point start_ = Clock::now();
  nn::data::ImageDataset digits_;
  RunBags bags_;
  std::vector<Member> members_;
  double fit_seconds_ = 0;
};

ExitCode Training::run() {
  catch_stop_signals();
  set_num_threads(static_cast<int>(options_.compute.threads));
  digits_ = load_dataset(options_.dataset);
  bags_ = draw_run_bags(digits_, options_.bags, options_.compute.seed);
  io::make_directories(folder_);
  print_counts(bags_.train);
  print_counts(bags_.validation);
  draw_bags(bags_.validation, options_.plot_size, folder_, console_);
  nn::Ensemble members = build_members();
  fit(members);
  load_best(members);
  const nlohmann::json metrics = report(members);
  io::write_file(folder_ / "metrics.json", metrics.dump(2) + "\n");
  console_.result(metrics);
  return ExitCode::done;
}

void Training::print_counts(const Bags& bags) const {
  console_.print(fmt::format("Positive bags: {}", bags.positives()));
  console_.print(fmt::format("Negative bags: {}", bags.count() - bags.positives()));
}

nn::ClassWeights Training::class_weights() const {
  if (!options_.fit.class_weight) return {};
  const nn::ClassWeights weights = nn::compute_class_weights(bags_.train.label_tensor(), 2);
  console_.message(
      fmt::format("Class weights: negative {:.4f}, positive {:.4f}", weights.at(0), weights.at(1)));
  return weights;
}

nn::Ensemble Training::build_members() const {
  const auto build = [&](int member) {
    nn::Model model =
        make_model(options_.model, options_.bags.bag_size, {bags_.train.rows, bags_.train.columns});
    model.compile({.optimizer = nn::Adam({.learning_rate = options_.fit.learning_rate}),
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = {"accuracy"}});
    if (member == 0)
      model.summary({.print = [&](const std::string& text) { console_.print(text); }});
    return model;
  };
  return nn::Ensemble(static_cast<int>(options_.fit.ensemble), build,
                      {.seed = derive_seed(static_cast<std::uint64_t>(options_.compute.seed), 3)});
}

std::string Training::file_of(int member, const std::string& single,
                              const std::string& several) const {
  return (folder_ /
          (options_.fit.ensemble == 1 ? single : fmt::format("member_{}.{}", member, several)))
      .string();
}

nn::FitOptions Training::fit_options(int member, const nn::ClassWeights& weights) {
  Member& state = members_[static_cast<std::size_t>(member)];
  const std::string path = (folder_ / weights_name(member, options_.fit.ensemble)).string();
  state.checkpoint = nn::ModelCheckpoint(
      path, {.monitor = "val_loss",
             .save_best_only = true,
             .root_attributes = {
                 {kConfigurationAttribute,
                  describe_run(options_, bags_.train.rows, bags_.train.columns).dump()}}});
  nn::Callbacks callbacks{nn::TerminateOnNaN({.raise_error = true}), state.checkpoint,
                          nn::CSVLogger(file_of(member, "history.csv", "history.csv"))};
  if (options_.fit.early_stopping) {
    state.early_stopping = nn::EarlyStopping(
        {.monitor = "val_loss", .patience = static_cast<int>(options_.fit.patience)});
    callbacks.push_back(state.early_stopping);
  }
  return {.epochs = static_cast<int>(options_.fit.epochs),
          .batch_size = options_.fit.batch_size,
          .validation_data = {{bags_.validation.instances, bags_.validation.label_tensor()}},
          .validation_batch_size = kEvaluationBatch,
          .class_weight = weights,
          .callbacks = std::move(callbacks),
          .verbose = console_.settings().quiet ? 0 : 1,
          .interrupted = [] { return stop_signal() != 0; },
          .output = &std::cerr};
}

void Training::fit(nn::Ensemble& members) {
  const nn::ClassWeights weights = class_weights();
  members_.resize(static_cast<std::size_t>(members.size()));
  const Clock::time_point start = Clock::now();
  const auto progress = [&](int member, int count) {
    if (count > 1 && member < count)
      console_.message(fmt::format("Member {} of {}", member + 1, count));
  };
  const std::vector<nn::History> histories = members.fit(
      bags_.train.instances, bags_.train.label_tensor(),
      [&](int member) { return fit_options(member, weights); }, progress);
  fit_seconds_ = seconds_since(start);
  for (std::size_t i = 0; i < histories.size(); ++i) {
    members_[i].history = histories[i];
    draw_curves(static_cast<int>(i));
  }
}

void Training::load_best(nn::Ensemble& members) {
  for (int i = 0; i < members.size(); ++i) {
    const Member& member = members_[static_cast<std::size_t>(i)];
    const std::string who = members.size() == 1 ? "" : fmt::format("Member {}: ", i + 1);
    if (member.early_stopping && member.early_stopping->stopped_epoch())
      console_.message(fmt::format("{}early stopping ended training after epoch {} of {}", who,
                                   *member.early_stopping->stopped_epoch() + 1,
                                   options_.fit.epochs));
    if (!member.checkpoint || !member.checkpoint->saved_epoch()) {
      console_.warning(who + "no epoch ended, so no weights were saved");
      continue;
    }
    members[i].load_weights(member.checkpoint->saved_path());
    console_.message(fmt::format("{}best epoch {} with val_loss {:.4f}, saved as {}", who,
                                 *member.checkpoint->saved_epoch() + 1, *member.checkpoint->best(),
                                 member.checkpoint->saved_path().string()));
  }
}

void Training::draw_curves(int i) const {
  const Member& member = members_[static_cast<std::size_t>(i)];
  TrainingCurves curves{.title = options_.fit.ensemble == 1 ? "Training"
                                                            : fmt::format("Member {}", i + 1)};
  for (int epoch : member.history.epoch) curves.epochs.push_back(epoch + 1);
  if (!curves.epochs.empty()) {
    curves.loss = member.history["loss"];
    curves.val_loss = member.history["val_loss"];
    curves.accuracy = member.history["accuracy"];
    curves.val_accuracy = member.history["val_accuracy"];
  }
  if (const auto best = member.checkpoint->saved_epoch()) curves.best_epoch = *best + 1;
  if (member.early_stopping && member.early_stopping->stopped_epoch())
    curves.stopped_epoch = *member.early_stopping->stopped_epoch() + 1;
  io::write_file(file_of(i, "curves.png", "curves.png"), render_curves(curves));
}

nlohmann::json Training::report(const nn::Ensemble& members) {
  const Predictions predictions = predict(members, bags_.validation);
  draw_attention(bags_.validation, predictions, options_.plot_size, folder_, console_);
  nlohmann::json metrics;
  metrics["parameters"] = members[0].count_params();
  metrics["validation"] = report_validation(members, predictions);
  const AttentionReport attention = describe_attention(predictions, bags_.validation);
  metrics["attention"] = {{"key_hit_rate", attention.key_hit_rate},
                          {"mean_largest_weight",
                           {{"positive", attention.mean_largest_positive},
                            {"negative", attention.mean_largest_negative}}},
                          {"largest_sum_error", attention.largest_sum_error}};
  if (options_.bags.test_bags > 0) metrics["test"] = report_test(members);
  metrics["members"] = report_members();
  metrics["seeds"] = {{"seed", options_.compute.seed}};
  metrics["data"] = {{"dataset", options_.dataset.dataset}, {"sha256", digits_.sha256}};
  metrics["configuration"] = configuration(options_);
  metrics["versions"] = to_json(system_facts());
  metrics["interrupted"] = stop_signal() != 0;
  metrics["seconds"] = {{"fit", fit_seconds_}, {"total", seconds_since(start_)}};
  return metrics;
}

nlohmann::json Training::report_validation(const nn::Ensemble& members,
                                           const Predictions& predictions) {
  const Score score = mean_score(members, bags_.validation);
  const Score together = averaged_score(predictions, bags_.validation);
  console_.print(fmt::format("The average loss and accuracy are {:.2f} and {:.2f} % resp.",
                             score.loss, 100 * score.accuracy));
  return {{"bags", bags_.validation.count()},
          {"positive", bags_.validation.positives()},
          {"loss", score.loss},
          {"accuracy", score.accuracy},
          {"ensemble", {{"loss", together.loss}, {"accuracy", together.accuracy}}}};
}

nlohmann::json Training::report_test(const nn::Ensemble& members) {
  const Bags& bags = bags_.test;
  const Score score = mean_score(members, bags);
  const Score together = averaged_score(predict(members, bags), bags);
  const auto hits = static_cast<std::int64_t>(
      std::llround(together.accuracy * static_cast<double>(bags.count())));
  const Interval interval = wilson_interval(hits, bags.count());
  console_.print(fmt::format(
      "Untouched test set of {} bags: loss {:.2f}, accuracy {:.2f} % (95 % Wilson interval {:.2f} "
      "to {:.2f} %)",
      bags.count(), score.loss, 100 * together.accuracy, 100 * interval.low, 100 * interval.high));
  console_.print(
      "The validation bags were used to select the epoch; these test bags were used for nothing.");
  return {
      {"bags", bags.count()},
      {"positive", bags.positives()},
      {"loss", score.loss},
      {"accuracy", score.accuracy},
      {"ensemble", {{"loss", together.loss}, {"accuracy", together.accuracy}}},
      {"interval",
       {{"method", "Wilson"}, {"level", 0.95}, {"low", interval.low}, {"high", interval.high}}}};
}

nlohmann::json Training::report_members() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Member& member : members_) {
    nlohmann::json entry = {{"epochs", member.history.epoch.size()}};
    if (member.checkpoint && member.checkpoint->saved_epoch()) {
      entry["best_epoch"] = *member.checkpoint->saved_epoch() + 1;
      entry["best_val_loss"] = *member.checkpoint->best();
      entry["weights"] = member.checkpoint->saved_path().filename().string();
    }
    if (member.early_stopping && member.early_stopping->stopped_epoch())
      entry["stopped_epoch"] = *member.early_stopping->stopped_epoch() + 1;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

ExitCode run_command(const TrainOptions& options, Console& console) {
  return Training(options, console).run();
}

}  // namespace mil
