// Models: what they are made of, what they are fed, and their weights.
#include "nn/model.h"

#include "backends/flush_denormals.h"
#include "nn/infer_step.h"
#include "nn/layer_graph.h"
#include "nn/model_inputs.h"
#include "nn/names.h"
#include "nn/trainer_state.h"
#include "tensor/mode.h"
#include "tensor/ops.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {

struct Model::State {
  std::string name;
  SymbolicTensors inputs;
  SymbolicTensors outputs;
  LayerGraph graph;
  std::shared_ptr<TrainerState> trainer;
  std::shared_ptr<OptimizerState> optimizer;
  InferStep infer{[this](const Tensors& given) {
    const NoGrad untracked;
    return run(given, Mode::infer);
  }};

  Tensors run(const Tensors& given, Mode mode) const {
    return graph.run(adapt_model_inputs(name, inputs, given), mode);
  }
};

namespace {

std::vector<std::string> layer_names(const SymbolicTensors& tensors) {
  std::vector<std::string> names;
  for (const SymbolicTensor& x : tensors) names.push_back(x.layer().name());
  return names;
}

void check_inputs_differ(const SymbolicTensors& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (std::find(inputs.begin() + static_cast<std::ptrdiff_t>(i) + 1, inputs.end(), inputs[i]) !=
        inputs.end())
      throw ValueError(
          fmt::format("[model] the input \"{}\" is listed twice", inputs[i].layer().name()),
          "give each tensor once");
}

}  // namespace

Model::Model(const OneOrMany<SymbolicTensor>& inputs, const OneOrMany<SymbolicTensor>& outputs,
             const ModelOptions& options)
    : state_(std::make_shared<State>()) {
  if (inputs.size() == 0 || outputs.size() == 0)
    throw ValueError(fmt::format("[model] got {} inputs and {} outputs; expected at least one each",
                                 inputs.size(), outputs.size()));
  check_inputs_differ(inputs.list());
  state_->inputs = inputs.list();
  state_->outputs = outputs.list();
  state_->graph = build_layer_graph(inputs.list(), outputs.list());
  state_->name = options.name.empty() ? unique_name("Functional") : options.name;
}

const std::string& Model::name() const { return state_->name; }
const LayerGraph& Model::graph() const { return state_->graph; }
const SymbolicTensors& Model::inputs() const { return state_->inputs; }
const SymbolicTensors& Model::outputs() const { return state_->outputs; }
std::vector<std::string> Model::input_names() const { return layer_names(inputs()); }
std::vector<std::string> Model::output_names() const { return layer_names(outputs()); }
const std::vector<Handle<Layer>>& Model::layers() const { return state_->graph.layers; }

OneOrMany<Tensor> Model::operator()(const OneOrMany<Tensor>& inputs, Mode mode) const {
  return state_->run(inputs.list(), mode);
}

Tensors Model::infer(const Tensors& inputs) const {
  const NoGrad untracked;
  const FlushDenormals flush;
  const bool eager = trainer() != nullptr && trainer()->run_eagerly;
  if (eager || current_recorder() != nullptr) return state_->run(inputs, Mode::infer);
  return state_->infer(inputs);
}

Layer& Model::get_layer(std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& layer : layers()) {
    if (layer->name() == name) return *layer;
    names.push_back(layer->name());
  }
  throw ValueError(fmt::format("[{}] there is no layer \"{}\"; the layers are {}", this->name(),
                               name, fmt::join(names, ", ")));
}

Layer& Model::get_layer(int index) const {
  const auto count = static_cast<int>(layers().size());
  if (index < 0 || index >= count)
    throw ValueError(
        fmt::format("[{}] there is no layer {}; the model has {} layers", name(), index, count),
        fmt::format("use 0..{}", count - 1));
  return *layers()[static_cast<std::size_t>(index)];
}

std::vector<Weight> Model::weights() const {
  std::vector<Weight> result;
  for (const auto& layer : layers())
    for (Weight& weight : layer->weights()) result.push_back(std::move(weight));
  return result;
}

std::vector<Weight> Model::trainable_weights() const {
  std::vector<Weight> result;
  for (const auto& layer : layers())
    for (Weight& weight : layer->trainable_weights()) result.push_back(std::move(weight));
  return result;
}

std::vector<Weight> Model::non_trainable_weights() const {
  std::vector<Weight> result;
  for (const auto& layer : layers())
    for (Weight& weight : layer->non_trainable_weights()) result.push_back(std::move(weight));
  return result;
}

std::int64_t Model::count_params() const {
  std::int64_t count = 0;
  for (const auto& layer : layers()) count += layer->count_params();
  return count;
}

Tensors Model::get_weights() const {
  const NoGrad untracked;
  Tensors values;
  for (const Weight& weight : weights()) values.push_back(copy(weight.variable.value()));
  return values;
}

void Model::set_weights(const Tensors& values) {
  const std::vector<Weight> targets = weights();
  if (values.size() != targets.size())
    throw ValueError(fmt::format("[{}] set_weights() got {} tensors; the model has {} weights",
                                 name(), values.size(), targets.size()));
  Tensors checked;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Variable& variable = targets[i].variable;
    if (!values[i].defined() || !(values[i].shape() == variable.shape()))
      throw ShapeError(fmt::format("[{}] set_weights() got {} for weight {} ({}); expected {}",
                                   name(),
                                   values[i].defined() ? values[i].shape().to_string() : "nothing",
                                   i, targets[i].path, variable.shape().to_string()));
    checked.push_back(values[i].dtype() == variable.dtype() ? values[i]
                                                            : cast(values[i], variable.dtype()));
  }
  for (std::size_t i = 0; i < checked.size(); ++i) targets[i].variable.assign(checked[i]);
}

Tensors Model::losses() const {
  Tensors result;
  for (const Weight& weight : trainable_weights())
    if (weight.regularizer) result.push_back(weight.regularizer(weight.variable));
  return result;
}

void Model::save_weights(const std::filesystem::path& path,
                         const SaveWeightsOptions& options) const {
  nn::save_weights(*this, path, options);
}

LoadReport Model::load_weights(const std::filesystem::path& path,
                               const LoadWeightsOptions& options) {
  return nn::load_weights(*this, path, options);
}

const std::shared_ptr<TrainerState>& Model::trainer() const { return state_->trainer; }
void Model::set_trainer(std::shared_ptr<TrainerState> trainer) {
  state_->trainer = std::move(trainer);
}
const std::shared_ptr<OptimizerState>& Model::optimizer_state() const { return state_->optimizer; }
void Model::set_optimizer_state(std::shared_ptr<OptimizerState> state) {
  state_->optimizer = std::move(state);
}

}  // namespace milgrad::nn
