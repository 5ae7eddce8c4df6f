// The steps of training and evaluation.
#include "nn/trainer_state.h"

#include "autograd/grad.h"
#include "backends/flush_denormals.h"
#include "nn/infer_step.h"
#include "nn/layer_graph.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <algorithm>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {
namespace {

/// The name, or the first of name_1, name_2, ... that is free.
std::string free_name(const std::string& name, std::set<std::string>& taken) {
  std::string candidate = name;
  for (int i = 1; !taken.insert(candidate).second; ++i) candidate = fmt::format("{}_{}", name, i);
  return candidate;
}

std::vector<bool> trainable_flags(const Model& model) {
  std::vector<bool> flags;
  for (const auto& layer : model.layers()) flags.push_back(layer->trainable());
  return flags;
}

}  // namespace

TrainerState::TrainerState(const Model& model, const CompileOptions& options)
    : optimizer(options.optimizer.get()),
      loss(options.loss),
      run_eagerly(options.run_eagerly),
      train_step_(compile_step(Kind::train)),
      test_step_(compile_step(Kind::test)) {
  if (model.outputs().size() != 1)
    throw ValueError(fmt::format("[{}] compile() of a model with {} outputs; expected one",
                                 model.name(), model.outputs().size()),
                     "train a model that has one output and cut others from its inner tensors");
  std::set<std::string> names{"loss"};
  for (const Choice<Metric>& choice : options.metrics)
    metrics_.emplace_back(free_name(choice.get()->name(), names), choice.get());
  for (const Weight& weight : model.trainable_weights()) {
    trained_.push_back(weight.variable);
    leaves_.push_back(weight.variable.value());
    if (weight.regularizer) penalised_.push_back(weight);
  }
  flags_ = trainable_flags(model);
}

void TrainerState::warn_of_changed_flags(const Model& model, std::ostream& output) {
  const std::vector<bool> now = trainable_flags(model);
  std::vector<std::string> changed;
  for (std::size_t i = 0; i < now.size(); ++i)
    if (now[i] != flags_[i]) changed.push_back(model.layers()[i]->name());
  if (changed.empty()) return;
  output << fmt::format(
                "Warning: set_trainable() was called after compile() for: {}. It takes effect at "
                "the next compile().\n",
                fmt::join(changed, ", "))
         << std::flush;
  flags_ = now;
}

Tensor TrainerState::penalties() const {
  Tensor total;
  for (const Weight& weight : penalised_) {
    const Tensor penalty = weight.regularizer(weight.variable);
    total = total.defined() ? total + penalty : penalty;
  }
  return total;
}

CompiledFunction TrainerState::compile_step(Kind kind) {
  const auto step = [this, kind](const Tensors& given) {
    auto next = given.begin() + static_cast<std::ptrdiff_t>(arguments_.model->inputs().size());
    Samples batch{{given.begin(), next}, *next, {}};
    if (arguments_.weights) batch.weights = *++next;
    compute(kind, *arguments_.model, batch, arguments_.penalty ? *++next : Tensor());
    return Tensors{};
  };
  return milgrad::compile(step, {.name = kind == Kind::train ? "train_step" : "test_step"});
}

void TrainerState::compute(Kind kind, const Model& model, const Samples& batch,
                           const Tensor& penalty) {
  if (kind == Kind::train)
    train(model, batch);
  else
    test(model, batch, penalty);
}

void TrainerState::run(Kind kind, const Model& model, const Samples& batch, const Tensor& penalty) {
  const FlushDenormals flush;
  const bool complete = batch.inputs.size() == model.inputs().size() && batch.labels.defined();
  if (run_eagerly || !complete || current_recorder() != nullptr)
    return compute(kind, model, batch, penalty);
  const NoGrad untracked;
  Tensors& tensors = arguments_.tensors;
  tensors.assign(batch.inputs.begin(), batch.inputs.end());
  tensors.push_back(batch.labels);
  if (batch.weights.defined()) tensors.push_back(batch.weights);
  if (penalty.defined()) tensors.push_back(penalty);
  arguments_.model = &model;
  arguments_.weights = batch.weights.defined();
  arguments_.penalty = penalty.defined();
  try {
    (kind == Kind::train ? train_step_ : test_step_).replay(tensors, profile);
  } catch (const TraceError& error) {
    throw TraceError(error.what(), kRunEagerly);
  }
  tensors.clear();
}

void TrainerState::train_step(const Model& model, const Samples& batch) {
  build_optimizer();
  run(Kind::train, model, batch, {});
}

void TrainerState::test_step(const Model& model, const Samples& batch, const Tensor& penalty) {
  run(Kind::test, model, batch, penalty);
}

void TrainerState::train(const Model& model, const Samples& batch) {
  const Tensor y_pred = model(batch.inputs, Mode::train);
  Tensor batch_loss = loss.compute(batch.labels, y_pred, batch.weights);
  if (const Tensor penalty = penalties(); penalty.defined()) batch_loss = batch_loss + penalty;
  if (batch_loss.rank() > 0)
    throw ShapeError(fmt::format("[{}] the loss of a batch is {}; training needs a single number",
                                 loss.name(), batch_loss.shape().to_string()),
                     "choose another reduction than Reduction::none");
  if (!leaves_.empty()) optimizer->apply(grad({batch_loss}, leaves_));
  take_in(batch, y_pred, batch_loss);
}

void TrainerState::test(const Model& model, const Samples& batch, const Tensor& penalty) {
  const NoGrad no_grad;
  const Tensor y_pred = model(batch.inputs, Mode::infer);
  const Tensor batch_loss = loss.compute(batch.labels, y_pred, batch.weights);
  take_in(batch, y_pred, penalty.defined() ? batch_loss + penalty : batch_loss);
}

void TrainerState::take_in(const Samples& batch, const Tensor& y_pred, const Tensor& batch_loss) {
  const NoGrad no_grad;
  loss_mean.update(batch_loss, size_of(y_pred, {0}));
  for (const auto& [name, metric] : metrics_) metric->update_state(batch.labels, y_pred);
}

bool TrainerState::evaluates_samples_apart(const Model& model, const Samples& samples) const {
  const bool mean =
      loss.reduction() == Reduction::sum_over_batch_size ||
      (loss.reduction() == Reduction::mean_with_sample_weight && !samples.weights.defined());
  return mean && keeps_samples_apart(model.graph()) &&
         std::all_of(metrics_.begin(), metrics_.end(),
                     [](const auto& metric) { return metric.second->is_mean_over_samples(); });
}

void TrainerState::build_optimizer() {
  if (!optimizer_is_ours_) optimizer->build(trained_);
  optimizer_is_ours_ = true;
}

void TrainerState::reset_metrics() {
  loss_mean.reset();
  for (const auto& [name, metric] : metrics_) metric->reset_state();
}

Logs TrainerState::results(const std::string& prefix) const {
  Logs logs{{prefix + "loss", loss_mean.result()}};
  for (const auto& [name, metric] : metrics_) logs.set(prefix + name, metric->result());
  return logs;
}

std::vector<Run::Key> TrainerState::keys(const std::string& prefix) const {
  std::vector<Run::Key> keys{{prefix + "loss", Direction::down}};
  for (const auto& [name, metric] : metrics_) keys.push_back({prefix + name, metric->direction()});
  return keys;
}

}  // namespace milgrad::nn
