// fit(): epochs of training steps with validation, in Keras's order of events.
#include "backends/cpu/thread_pool.h"
#include "nn/event_loop.h"
#include "nn/model_inputs.h"
#include "nn/seed.h"
#include "nn/trainer_state.h"
#include "tensor/ops.h"
#include "tensor/random.h"

#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

void check_options(const FitOptions& o) {
  if (o.epochs < 0 || o.initial_epoch < 0)
    throw ValueError(
        fmt::format("[fit] epochs {} from {}; expected 0 or more", o.epochs, o.initial_epoch));
  if (o.validation_freq < 1)
    throw ValueError(
        fmt::format("[fit] validation_freq {}; expected 1 or more", o.validation_freq));
  if (o.verbose < 0 || o.verbose > 2)
    throw ValueError(fmt::format("[fit] verbose {}; expected 0, 1 or 2", o.verbose));
  if (o.sample_weight.defined() && !o.class_weight.empty())
    throw ValueError("[fit] got both sample_weight and class_weight", "multiply them yourself");
}

/// Finds out before training whether inputs and labels fit the model.
Samples checked(const std::string& what, const Model& model, Samples samples) {
  check_samples(what, samples);
  Tensors first;
  for (const Tensor& x : samples.inputs) first.push_back(slice(x, {.axis = 0, .stop = 1}));
  adapt_model_inputs(model.name(), model.inputs(), first);
  model.trainer()->loss.check_labels(samples.labels, model.outputs()[0].shape());
  return samples;
}

/// Lets the steps be profiled while it lives.
class ProfileScope {
 public:
  ProfileScope(TrainerState& state, Profile* profile) : state_(state), before_(state.profile) {
    state.profile = profile;
  }
  ~ProfileScope() { state_.profile = before_; }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  TrainerState& state_;
  Profile* before_;
};

class Fit {
 public:
  Fit(Model& model, Samples samples, const FitOptions& options)
      : model_(model),
        trainer_(model.trainer()),
        state_(*trainer_),
        options_(options),
        batches_(std::move(samples), options.batch_size),
        loop_({.model = &model,
               .verbose = options.verbose,
               .epochs = options.epochs,
               .steps = batches_.size(),
               .keys = keys(),
               .output = options.output},
              options.callbacks, options.interrupted),
        seed_(options.shuffle_seed ? *options.shuffle_seed : next_seed()) {
    if (options.validation_data) {
      const ValidationData& data = *options.validation_data;
      validation_.emplace(
          checked("validation_data", model,
                  {.inputs = data.inputs.list(), .labels = data.labels, .weights = {}}),
          options.validation_batch_size.value_or(options.batch_size));
    }
  }

  History run() {
    state_.warn_of_changed_flags(model_, *loop_.run().output);
    loop_.send([](Callback& c) { c.on_train_begin(); });
    Logs logs;
    for (int epoch = options_.initial_epoch; epoch < options_.epochs; ++epoch) {
      if (auto done = run_epoch(epoch)) logs = std::move(*done);
      if (stopped()) break;
    }
    loop_.send([&](Callback& c) { c.on_train_end(logs); });
    return loop_.history();
  }

 private:
  bool stopped() { return loop_.run().stop_training || loop_.history().interrupted; }

  std::vector<Run::Key> keys() const {
    std::vector<Run::Key> keys = state_.keys("");
    if (!options_.validation_data) return keys;
    for (Run::Key& key : state_.keys("val_")) keys.push_back(std::move(key));
    return keys;
  }

  /// The epoch's logs; nothing if it was interrupted.
  std::optional<Logs> run_epoch(int epoch) {
    state_.reset_metrics();
    loop_.send([epoch](Callback& c) { c.on_epoch_begin(epoch); });
    if (options_.shuffle) batches_.set_order(order_of(epoch));
    run_batches();
    if (loop_.history().interrupted) return {};
    Logs logs = state_.results();
    if (validation_ && (epoch + 1) % options_.validation_freq == 0) {
      loop_.evaluate(state_, *validation_);
      if (loop_.history().interrupted) return {};
      for (const auto& [name, value] : state_.results("val_")) logs.set(name, value);
    }
    logs = logs.sorted();
    Logs shared = logs;
    loop_.send([&](Callback& c) { c.on_epoch_end(epoch, shared); });
    return logs;
  }

  Tensor order_of(int epoch) const {
    RandomSequence random({derive_seed(seed_, static_cast<std::uint64_t>(epoch)), 0});
    const std::int64_t count = batches_.samples().count();
    return tensor(random_permutation(random, count), {count});
  }

  void run_batches() {
    const cpu::KeepWorkersAwake awake;
    const BatchLogs logs = batch_logs(state_);
    for (std::int64_t i = 0; i < batches_.size(); ++i) {
      loop_.send([i](Callback& c) { c.on_train_batch_begin(i); });
      state_.train_step(model_, batches_.load(i));
      loop_.send([&](Callback& c) { c.on_train_batch_end(i, logs); });
      if (loop_.interrupted() || stopped()) break;
    }
  }

  Model& model_;
  std::shared_ptr<TrainerState> trainer_;  // kept if a callback compiles the model anew
  TrainerState& state_;
  const FitOptions& options_;
  Batches batches_;
  EventLoop loop_;
  std::uint64_t seed_;
  std::optional<Batches> validation_;
};

}  // namespace

History Model::fit(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                   const FitOptions& options) {
  const auto trainer = require_trainer("fit");
  check_options(options);
  if (options.profile != nullptr && trainer->run_eagerly)
    throw ValueError("[fit] got a profile, and the model runs eagerly",
                     "a profile is made of programs: compile it without run_eagerly");
  if (trainer->optimizer->built()) trainer->build_optimizer();
  Samples samples = checked(
      "fit", *this, {.inputs = inputs.list(), .labels = labels, .weights = options.sample_weight});
  if (!options.class_weight.empty())
    samples.weights = sample_weights(labels, options.class_weight, outputs()[0].dtype());
  Fit fit(*this, std::move(samples), options);
  const ProfileScope profiled(*trainer, options.profile);
  return fit.run();
}

}  // namespace milgrad::nn
