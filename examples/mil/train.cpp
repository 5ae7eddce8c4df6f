// `mil train`: the Keras example, from digits to pictures.
#include "autograd/profile.h"
#include "backends/cpu/thread_pool.h"
#include "examples/mil/commands.h"
#include "examples/mil/dataset.h"
#include "examples/mil/evaluation.h"
#include "examples/mil/example_model.h"
#include "examples/mil/figures/curves.h"
#include "examples/mil/pictures.h"
#include "examples/mil/run_report.h"
#include "examples/mil/signals.h"
#include "examples/mil/trained.h"
#include "nn/callbacks.h"
#include "nn/io/file.h"
#include "nn/optimizers.h"
#include "tensor/random.h"

#include <chrono>
#include <cmath>
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
      : console_(console), folder_(options.out), run_{.options = options} {}

  ExitCode run();

 private:
  void draw_bags_of_run();
  void print_counts(const Bags& bags) const;
  nn::Ensemble build_members() const;
  nn::FitOptions fit_options(int member);
  std::string file_of(int member, const std::string& name) const;
  void fit(nn::Ensemble& members);
  void fit_or_keep(nn::Ensemble& members);
  void require_finite_validation() const;
  void record(int member);
  int load_best(nn::Ensemble& members);
  void draw_curves(int member) const;
  void report_profile() const;

  const FitOptions& fit_settings() const { return run_.options.fit; }

  Console& console_;
  fs::path folder_;
  Clock::time_point start_ = Clock::now();
  RunRecord run_;
  nn::ClassWeights class_weights_;
  Profile profile_;
  // Those of the member that is trained; early_stopping_ is null where it was not asked for.
  std::shared_ptr<nn::EarlyStoppingCallback> early_stopping_;
  std::shared_ptr<nn::ModelCheckpointCallback> checkpoint_;
};

ExitCode Training::run() {
  catch_stop_signals();
  set_num_threads(static_cast<int>(run_.options.compute.threads));
  draw_bags_of_run();
  io::make_directories(folder_);
  print_counts(run_.bags.train);
  print_counts(run_.bags.validation);
  draw_bags(run_.bags.validation, run_.options.plot_size, folder_, console_);
  nn::Ensemble members = build_members();
  if (!class_weights_.empty())
    console_.message(fmt::format("Class weights: negative {:.4f}, positive {:.4f}",
                                 class_weights_.at(0), class_weights_.at(1)));
  fit_or_keep(members);
  if (run_.options.profile) report_profile();
  const int trained = load_best(members);
  if (trained == 0) return ExitCode::done;
  nlohmann::json metrics = report_run(run_, members.first(trained), console_);
  metrics["seconds"]["total"] = seconds_since(start_);
  io::write_file(folder_ / "metrics.json", metrics.dump(2) + "\n");
  console_.result(metrics);
  console_.message(
      fmt::format("Weights, history, figures and pictures are in {}", folder_.string()));
  return ExitCode::done;
}

/// Whatever can be wrong with data and bags is found before anything is written.
void Training::draw_bags_of_run() {
  const nn::data::ImageDataset digits = load_dataset(run_.options.dataset);
  run_.sha256 = digits.sha256;
  run_.bags = draw_run_bags(digits, run_.options.bags, run_.options.compute.seed);
  if (fit_settings().class_weight)
    class_weights_ = nn::compute_class_weights(run_.bags.train.label_tensor(), 2);
}

void Training::print_counts(const Bags& bags) const {
  console_.print(fmt::format("Positive bags: {}", bags.positives()));
  console_.print(fmt::format("Negative bags: {}", bags.count() - bags.positives()));
}

nn::Ensemble Training::build_members() const {
  const auto build = [&](int member) {
    const Bags& bags = run_.bags.train;
    nn::Model model = make_model(run_.options.model, bags.bag_size, {bags.rows, bags.columns});
    model.compile({.optimizer = nn::Adam({.learning_rate = fit_settings().learning_rate}),
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = {"accuracy"},
                   .run_eagerly = fit_settings().run_eagerly});
    if (member == 0) print_summary(model, console_);
    return model;
  };
  const auto seed = static_cast<std::uint64_t>(run_.options.compute.seed);
  return nn::Ensemble(static_cast<int>(fit_settings().ensemble), build,
                      {.seed = derive_seed(seed, 3)});
}

std::string Training::file_of(int member, const std::string& name) const {
  const std::string prefix = fit_settings().ensemble == 1 ? "" : fmt::format("member_{}.", member);
  return (folder_ / (prefix + name)).string();
}

nn::FitOptions Training::fit_options(int member) {
  const Bags &train = run_.bags.train, &validation = run_.bags.validation;
  const std::string path = (folder_ / weights_name(member, fit_settings().ensemble)).string();
  checkpoint_ = nn::ModelCheckpoint(
      path, {.monitor = "val_loss",
             .save_best_only = true,
             .root_attributes = {{kConfigurationAttribute,
                                  describe_run(run_.options, train.rows, train.columns).dump()}}});
  MemberRecord& record = run_.members.emplace_back();
  nn::Callbacks callbacks{
      nn::TerminateOnNaN({.raise_error = true}), checkpoint_,
      nn::CSVLogger(file_of(member, "history.csv")),
      nn::LambdaCallback({.on_epoch_end = [&record](nn::Run&, int epoch, nn::Logs& logs) {
        record.history.append(epoch, logs);
      }})};
  if (fit_settings().early_stopping) {
    early_stopping_ = nn::EarlyStopping(
        {.monitor = "val_loss", .patience = static_cast<int>(fit_settings().patience)});
    callbacks.push_back(early_stopping_);
  }
  return {.epochs = static_cast<int>(fit_settings().epochs),
          .batch_size = fit_settings().batch_size,
          .validation_data = {{validation.instances, validation.label_tensor()}},
          .validation_batch_size = kEvaluationBatch,
          .class_weight = class_weights_,
          .callbacks = std::move(callbacks),
          .verbose = console_.settings().quiet ? 0 : 1,
          .interrupted = [] { return stop_signal() != 0; },
          .profile = run_.options.profile ? &profile_ : nullptr,
          .output = &std::cerr};
}

void Training::fit(nn::Ensemble& members) {
  run_.members.reserve(static_cast<std::size_t>(members.size()));
  const auto progress = [&](int member, int count) {
    if (member > 0) record(member - 1);
    if (count > 1 && member < count)
      console_.message(fmt::format("Member {} of {}", member + 1, count));
  };
  members.fit(
      run_.bags.train.instances, run_.bags.train.label_tensor(),
      [&](int member) { return fit_options(member); }, progress);
}

/// A loss that is not finite ends the program, but what was learnt before it is kept and shown.
void Training::fit_or_keep(nn::Ensemble& members) {
  const Clock::time_point start = Clock::now();
  const auto finish = [&] {
    run_.fit_seconds = seconds_since(start);
    run_.interrupted = stop_signal() != 0;
    const int last = static_cast<int>(run_.members.size()) - 1;
    if (run_.members.back().weights.empty()) record(last);
  };
  try {
    fit(members);
  } catch (const NonFiniteError&) {
    finish();
    throw;
  }
  finish();
  require_finite_validation();
}

void Training::require_finite_validation() const {
  if (run_.interrupted) return;
  for (const MemberRecord& member : run_.members)
    if (!member.best_epoch || !std::isfinite(*member.best_val_loss))
      throw NonFiniteError("[train] no epoch had a finite validation loss; expected one at least",
                           "lower the learning rate");
}

/// Takes down what the callbacks of the member know, says it, and draws its curves.
void Training::record(int i) {
  MemberRecord& member = run_.members[static_cast<std::size_t>(i)];
  member.weights = folder_ / weights_name(i, fit_settings().ensemble);
  if (const auto best = checkpoint_->saved_epoch()) {
    member.best_epoch = *best + 1;
    member.best_val_loss = checkpoint_->best();
  }
  if (early_stopping_ && early_stopping_->stopped_epoch())
    member.stopped_epoch = *early_stopping_->stopped_epoch() + 1;
  const std::string who = fit_settings().ensemble == 1 ? "" : fmt::format("Member {}: ", i + 1);
  print_decisions(run_, member, who, console_);
  draw_curves(i);
}

/// Gives the members that were trained their best weights; how many these are.
int Training::load_best(nn::Ensemble& members) {
  while (!run_.members.empty() && !run_.members.back().best_epoch) run_.members.pop_back();
  const int trained = static_cast<int>(run_.members.size());
  for (int i = 0; i < trained; ++i)
    load_weights(members[i], run_.members[static_cast<std::size_t>(i)].weights, console_);
  return trained;
}

void Training::draw_curves(int i) const {
  const MemberRecord& member = run_.members[static_cast<std::size_t>(i)];
  TrainingCurves curves{
      .title = fit_settings().ensemble == 1 ? "Training" : fmt::format("Member {}", i + 1),
      .best_epoch = member.best_epoch,
      .stopped_epoch = member.stopped_epoch};
  for (int epoch : member.history.epoch) curves.epochs.push_back(epoch + 1);
  if (!curves.epochs.empty()) {
    curves.loss = member.history["loss"];
    curves.val_loss = member.history["val_loss"];
    curves.accuracy = member.history["accuracy"];
    curves.val_accuracy = member.history["val_accuracy"];
  }
  io::write_file(file_of(i, "curves.png"), render_curves(curves));
}

/// The table goes with the messages, the single calls into a file that trace viewers open.
void Training::report_profile() const {
  const fs::path path = folder_ / "profile.json";
  io::write_file(path, profile_.chrome_trace());
  console_.message(profile_.table() + fmt::format("The calls one by one are in {}", path.string()));
}

}  // namespace

ExitCode run_command(const TrainOptions& options, Console& console) {
  return Training(options, console).run();
}

}  // namespace mil
