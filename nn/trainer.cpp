// compile, evaluate, predict and train_on_batch.
#include "nn/trainer.h"

#include "nn/event_loop.h"
#include "nn/layer_graph.h"
#include "nn/trainer_state.h"
#include "tensor/mode.h"
#include "tensor/ops.h"

#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {

void Model::compile(const CompileOptions& options) {
  auto trainer = std::make_shared<TrainerState>(*this, options);
  set_optimizer_state(trainer->optimizer);
  set_trainer(std::move(trainer));
}

std::shared_ptr<TrainerState> Model::require_trainer(const char* what) const {
  if (trainer() == nullptr)
    throw ValueError(fmt::format("[{}] the model {} is not compiled", what, name()),
                     "call compile() with an optimizer and a loss first");
  return trainer();
}

Optimizer& Model::optimizer() const { return *require_trainer("optimizer")->optimizer; }

Logs Model::evaluate(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                     const EvaluateOptions& options) {
  const auto trainer = require_trainer("evaluate");
  TrainerState& state = *trainer;
  Samples samples{inputs.list(), labels, options.sample_weight};
  check_samples("evaluate", samples);
  state.loss.check_labels(labels, outputs()[0].shape());
  const Batches batches(std::move(samples), options.batch_size);
  EventLoop loop({.model = this,
                  .verbose = options.verbose,
                  .steps = batches.size(),
                  .keys = state.keys(""),
                  .output = options.output},
                 options.callbacks);
  state.warn_of_changed_flags(*this, *loop.run().output);
  loop.evaluate(state, batches);
  return state.results();
}

OneOrMany<Tensor> Model::predict(const OneOrMany<Tensor>& inputs,
                                 const PredictOptions& options) const {
  Samples samples{.inputs = inputs.list(), .labels = {}, .weights = {}};
  check_samples("predict", samples);
  Batches batches(std::move(samples), options.batch_size);
  Model self = *this;
  EventLoop loop({.model = &self,
                  .verbose = options.verbose,
                  .steps = batches.size(),
                  .output = options.output},
                 options.callbacks);
  if (!loop.watches_inference_batches() && keeps_samples_apart(graph()))
    batches = batches.enlarged();
  std::vector<Tensors> parts(outputs().size());
  loop.send([](Callback& c) { c.on_predict_begin(); });
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    loop.send([i](Callback& c) { c.on_predict_batch_begin(i); });
    const Tensors results = infer(batches.load(i).inputs);
    for (std::size_t k = 0; k < parts.size(); ++k) parts[k].push_back(results[k]);
    loop.send([i](Callback& c) { c.on_predict_batch_end(i); });
  }
  Tensors joined;
  const NoGrad no_grad;
  for (const Tensors& part : parts) joined.push_back(part.size() == 1 ? part[0] : concat(part));
  loop.send([](Callback& c) { c.on_predict_end(); });
  return joined;
}

Logs Model::train_on_batch(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                           const TrainOnBatchOptions& options) {
  const auto trainer = require_trainer("train_on_batch");
  TrainerState& state = *trainer;
  if (options.sample_weight.defined() && !options.class_weight.empty())
    throw ValueError("[train_on_batch] got both sample_weight and class_weight",
                     "multiply them yourself");
  Samples batch{inputs.list(), labels, options.sample_weight};
  check_samples("train_on_batch", batch);
  state.loss.check_labels(labels, outputs()[0].shape());
  if (!options.class_weight.empty())
    batch.weights = sample_weights(labels, options.class_weight, outputs()[0].dtype());
  state.reset_metrics();
  state.train_step(*this, batch);
  return state.results();
}

}  // namespace milgrad::nn
