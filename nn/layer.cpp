// What all layers share: names, building, casting of inputs, weights, and the graph's calls.
#include "nn/layer.h"

#include "nn/names.h"
#include "nn/shape_inference.h"
#include "tensor/mode.h"
#include "tensor/ops.h"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {
namespace {

std::string describe_shapes(const std::vector<Shape>& shapes) {
  std::vector<std::string> texts;
  for (const Shape& shape : shapes) texts.push_back(shape.to_string());
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::vector<Shape> shapes_of(const Tensors& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& x : tensors) shapes.push_back(x.shape());
  return shapes;
}

/// Runs `f`; an error about arguments gets the layer's path and the shapes that came put before
/// it, unless an inner layer or the layer itself has done so.
template <class F>
auto with_context(const Tensors& inputs, F&& f) {
  const auto rethrow = [&]<class E>(const E& error) {
    const std::string path = "[" + current_scope();
    const std::string message = error.what();
    if (message.rfind(path + "]", 0) == 0 || message.rfind(path + "/", 0) == 0) throw error;
    throw E(fmt::format("{}] called on {}: {}", path, describe_shapes(shapes_of(inputs)), message),
            error.hint());
  };
  try {
    return f();
  } catch (const ShapeError& error) {
    rethrow(error);
    throw;
  } catch (const DTypeError& error) {
    rethrow(error);
    throw;
  } catch (const ValueError& error) {
    rethrow(error);
    throw;
  }
}

Tensors cast_all(const Tensors& inputs, DType dtype) {
  Tensors result;
  result.reserve(inputs.size());
  for (const Tensor& x : inputs) result.push_back(x.dtype() == dtype ? x : cast(x, dtype));
  return result;
}

}  // namespace

Layer::Layer(LayerOptions options)
    : name_(std::move(options.name)),
      dtype_(options.dtype.value_or(floatx())),
      trainable_(options.trainable) {
  if (name_.find('/') != std::string::npos)
    throw ValueError(fmt::format("[layer] the name \"{}\" has a \"/\" in it", name_),
                     "slashes separate the parts of a weight's path");
  if (!is_floating(dtype_))
    throw DTypeError(fmt::format("[layer] got dtype {} for layer \"{}\"; expected {}",
                                 name_of(dtype_), name_, to_string(kFloating)));
}

Layer::~Layer() = default;

void Layer::take_name() {
  if (name_.empty()) name_ = unique_name(class_name());
}

void Layer::build(const std::vector<Shape>&) {}
void Layer::check_inputs(const std::vector<Shape>&) const {}

void Layer::expect_one_input(const std::vector<Shape>& inputs) const {
  if (inputs.size() == 1) return;
  throw ValueError(fmt::format("[{}] got a list of {} tensors; expected one", name_, inputs.size()),
                   "call the layer once for each of them");
}

Variable Layer::add_weight(const WeightOptions& options) {
  if (!building_)
    throw ValueError(
        fmt::format("[{}] weight \"{}\" was added outside of build()", name_, options.name),
        "a layer makes its weights in build(), once");
  const bool taken = std::any_of(weights_.begin(), weights_.end(),
                                 [&](const Weight& w) { return w.name == options.name; });
  if (taken || options.name.empty())
    throw ValueError(fmt::format("[{}] {}", name_,
                                 taken ? fmt::format("there are two weights \"{}\"", options.name)
                                       : "a weight has no name"));
  // A weight is real even if the layer is built while shapes are inferred or a step is traced.
  const RecorderScope computing(nullptr);
  const NoGrad untracked;
  const std::string path = current_scope() + "/" + options.name;
  Variable variable(options.initializer(options.shape, options.dtype.value_or(dtype_)),
                    {.name = path, .trainable = options.trainable});
  weights_.push_back({variable, options.name, path, options.regularizer, options.trainable});
  return variable;
}

void Layer::ensure_built(const Tensors& inputs) {
  if (built_) return;
  weights_.clear();  // of a build() that failed
  building_ = true;
  try {
    with_context(inputs, [&] { build(shapes_of(inputs)); });
  } catch (...) {
    building_ = false;
    throw;
  }
  building_ = false;
  built_ = true;
}

Tensors Layer::call_with_context(const Tensors& inputs, Mode mode) {
  return with_context(inputs, [&] {
    check_inputs(shapes_of(inputs));
    return call(inputs, mode);
  });
}

Tensors Layer::run(const Tensors& inputs, Mode mode) {
  const NameScope scope(name_);
  const auto fits = [this](const Tensor& x) { return x.dtype() == dtype_; };
  if (!std::all_of(inputs.begin(), inputs.end(), fits)) {
    const Tensors cast = with_context(inputs, [&] { return cast_all(inputs, dtype_); });
    ensure_built(cast);
    return call_with_context(cast, mode);
  }
  ensure_built(inputs);
  return call_with_context(inputs, mode);
}

OneOrMany<Tensor> Layer::operator()(const OneOrMany<Tensor>& inputs, Mode mode) {
  return run(inputs.list(), mode);
}

Tensor Layer::operator()(const Tensor& input, Mode mode) {
  return (*this)(OneOrMany<Tensor>(input), mode).one();
}

SymbolicTensors Layer::record_call(const SymbolicTensors& inputs, std::optional<Mode> mode) {
  std::vector<Spec> specs;
  for (const SymbolicTensor& x : inputs) specs.push_back(x.spec());
  std::vector<Spec> outputs = infer_specs(
      specs, [&](const Tensors& tensors) { return run(tensors, mode.value_or(Mode::infer)); });
  return add_call(
      {.layer = shared_from_this(), .inputs = inputs, .outputs = std::move(outputs), .mode = mode});
}

SymbolicTensors Layer::add_call(LayerCall call) {
  call.node_index = static_cast<int>(calls_.size());
  const auto shared = std::make_shared<const LayerCall>(std::move(call));
  calls_.push_back(shared);
  SymbolicTensors outputs;
  for (std::size_t i = 0; i < shared->outputs.size(); ++i)
    outputs.emplace_back(shared, static_cast<int>(i));
  return outputs;
}

OneOrMany<SymbolicTensor> Layer::operator()(const OneOrMany<SymbolicTensor>& inputs,
                                            std::optional<Mode> mode) {
  return record_call(inputs.list(), mode);
}

SymbolicTensor Layer::operator()(const SymbolicTensor& input, std::optional<Mode> mode) {
  return (*this)(OneOrMany<SymbolicTensor>(input), mode).one();
}

std::vector<Weight> Layer::weights() const {
  std::vector<Weight> result = weights_;
  std::stable_partition(result.begin(), result.end(), [](const Weight& w) { return w.trainable; });
  return result;
}

std::vector<Weight> Layer::trainable_weights() const {
  std::vector<Weight> result;
  for (const Weight& weight : weights())
    if (trainable_ && weight.trainable) result.push_back(weight);
  return result;
}

std::vector<Weight> Layer::non_trainable_weights() const {
  std::vector<Weight> result;
  for (const Weight& weight : weights())
    if (!trainable_ || !weight.trainable) result.push_back(weight);
  return result;
}

std::int64_t Layer::count_params() const {
  std::int64_t count = 0;
  for (const Weight& weight : weights_) count += weight.variable.shape().numel();
  return count;
}

std::vector<std::shared_ptr<const LayerCall>> Layer::calls() const {
  std::vector<std::shared_ptr<const LayerCall>> result;
  for (const auto& call : calls_)
    if (auto shared = call.lock()) result.push_back(std::move(shared));
  return result;
}

std::shared_ptr<const LayerCall> Layer::first_call() const {
  const auto first = calls_.empty() ? nullptr : calls_.front().lock();
  if (first != nullptr) return first;
  throw ValueError(fmt::format("[{}] the layer has no {} on symbolic tensors", name_,
                               calls_.empty() ? "call" : "first call any more"),
                   "call it on an Input, and keep a model or tensor made from the result");
}

OneOrMany<SymbolicTensor> Layer::input() const { return first_call()->inputs; }

OneOrMany<SymbolicTensor> Layer::output() const {
  const auto call = first_call();
  SymbolicTensors outputs;
  for (std::size_t i = 0; i < call->outputs.size(); ++i)
    outputs.emplace_back(call, static_cast<int>(i));
  return outputs;
}

}  // namespace milgrad::nn
