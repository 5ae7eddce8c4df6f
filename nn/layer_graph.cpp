// Collects, orders and runs the calls of a model.
#include "nn/layer_graph.h"

#include "tensor/ops.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {
namespace {

using Call = std::shared_ptr<const LayerCall>;

std::vector<std::string> names_of(const SymbolicTensors& tensors) {
  std::vector<std::string> names;
  for (const SymbolicTensor& x : tensors) names.push_back(x.layer().name());
  return names;
}

/// The depth-first walk from the outputs to the inputs.
class Walk {
 public:
  explicit Walk(const SymbolicTensors& inputs) : inputs_(inputs) {}

  void visit(const SymbolicTensor& tensor) {
    const Call& call = tensor.shared_call();
    const bool declared = std::find(inputs_.begin(), inputs_.end(), tensor) != inputs_.end();
    if (declared && !call->inputs.empty()) return;
    if (!seen_.insert(call.get()).second) return;
    const Layer* layer = call->layer.get();
    if (call->inputs.empty() && !declared)
      throw ValueError(
          fmt::format(
              "[model] the outputs need the input \"{}\", which is not among the inputs ({})",
              layer->name(), fmt::join(names_of(inputs_), ", ")),
          "name every Input that the outputs depend on");
    first_seen_.emplace(layer, static_cast<int>(first_seen_.size()));
    for (const SymbolicTensor& input : call->inputs) visit(input);
    sorted_.push_back(call);
  }

  /// From the inputs to the outputs: every call after those it reads.
  const std::vector<Call>& sorted() const { return sorted_; }
  int first_seen(const Layer* layer) const { return first_seen_.at(layer); }
  /// An input that no output needs: it comes before the others of its depth.
  void add_unused(const Call& call) {
    first_seen_.emplace(call->layer.get(), -1);
    sorted_.push_back(call);
  }

 private:
  const SymbolicTensors& inputs_;
  std::set<const LayerCall*> seen_;
  std::map<const Layer*, int> first_seen_;
  std::vector<Call> sorted_;
};

struct Depths {
  std::map<const LayerCall*, int> calls;
  std::map<const Layer*, int> layers;
};

Depths measure_depths(const std::vector<Call>& sorted) {
  Depths depths;
  for (auto call = sorted.rbegin(); call != sorted.rend(); ++call) {
    int& layer_depth = depths.layers[(*call)->layer.get()];
    const int depth = layer_depth = std::max(layer_depth, depths.calls[call->get()]);
    depths.calls[call->get()] = depth;
    for (const SymbolicTensor& input : (*call)->inputs) {
      int& before = depths.calls[input.shared_call().get()];
      before = std::max(before, depth + 1);
    }
  }
  return depths;
}

void add_unused_inputs(const SymbolicTensors& inputs, Walk& walk, Depths& depths) {
  for (const SymbolicTensor& input : inputs) {
    const Call& call = input.shared_call();
    if (!call->inputs.empty() || depths.layers.contains(call->layer.get())) continue;
    walk.add_unused(call);
    depths.layers[call->layer.get()] = 0;
    depths.calls[call.get()] = 0;
  }
}

std::vector<Handle<Layer>> order_layers(const Walk& walk, const Depths& depths) {
  std::vector<Handle<Layer>> layers;
  std::set<const Layer*> seen;
  for (const Call& call : walk.sorted())
    if (seen.insert(call->layer.get()).second) layers.emplace_back(call->layer);
  std::sort(layers.begin(), layers.end(), [&](const auto& a, const auto& b) {
    const Layer *x = &*a, *y = &*b;
    return std::pair(-depths.layers.at(x), walk.first_seen(x)) <
           std::pair(-depths.layers.at(y), walk.first_seen(y));
  });
  return layers;
}

void check_names(const std::vector<Handle<Layer>>& layers) {
  std::set<std::string> names;
  for (const auto& layer : layers)
    if (!names.insert(layer->name()).second)
      throw ValueError(fmt::format("[model] two layers are called \"{}\"", layer->name()),
                       "names must differ within a model; give one of them another name");
}

/// Numbers the values that steps pass on.
class SlotTable {
 public:
  int of(const SymbolicTensor& x) {
    const auto key = std::pair(x.shared_call().get(), x.tensor_index());
    return slots_.emplace(key, static_cast<int>(slots_.size())).first->second;
  }
  std::vector<int> of(const SymbolicTensors& tensors) {
    std::vector<int> result;
    for (const SymbolicTensor& x : tensors) result.push_back(of(x));
    return result;
  }
  int count() const { return static_cast<int>(slots_.size()); }

 private:
  std::map<std::pair<const LayerCall*, int>, int> slots_;
};

GraphStep make_step(const Call& call, int depth, SlotTable& slots) {
  GraphStep step{.call = call, .depth = depth, .input_slots = slots.of(call->inputs)};
  for (std::size_t i = 0; i < call->outputs.size(); ++i)
    step.output_slots.push_back(slots.of(SymbolicTensor(call, static_cast<int>(i))));
  return step;
}

/// Moves calls of one depth that may run as one behind the first of them. None of them reads what
/// another of its depth computes.
void group_alike(std::vector<GraphStep>& steps) {
  for (auto first = steps.begin(); first != steps.end(); first += first->alike) {
    if (!first->call->layer->maps_last_axis()) continue;
    const auto depth_end = std::find_if(
        first, steps.end(), [&](const GraphStep& step) { return step.depth != first->depth; });
    const auto alike_end = std::stable_partition(first, depth_end, [&](const GraphStep& step) {
      return step.call->layer == first->call->layer && step.call->mode == first->call->mode;
    });
    first->alike = static_cast<int>(alike_end - first);
  }
}

}  // namespace

LayerGraph build_layer_graph(const SymbolicTensors& inputs, const SymbolicTensors& outputs) {
  Walk walk(inputs);
  for (const SymbolicTensor& output : outputs) walk.visit(output);
  Depths depths = measure_depths(walk.sorted());
  add_unused_inputs(inputs, walk, depths);
  LayerGraph graph{.layers = order_layers(walk, depths)};
  check_names(graph.layers);
  SlotTable slots;
  graph.input_slots = slots.of(inputs);
  for (const Call& call : walk.sorted())
    graph.steps.push_back(make_step(call, depths.calls.at(call.get()), slots));
  std::stable_sort(graph.steps.begin(), graph.steps.end(),
                   [](const GraphStep& a, const GraphStep& b) { return a.depth > b.depth; });
  group_alike(graph.steps);
  graph.output_slots = slots.of(outputs);
  graph.slot_count = slots.count();
  return graph;
}

namespace {

constexpr std::int64_t kFewRows = 32;

std::int64_t rows_of(const Tensor& x) { return x.shape().product(0, x.rank() - 1); }

/// The table of values while a model runs. Results of calls that ran as one stay stacked until one
/// of them is read.
class Values {
 public:
  explicit Values(int slots) : values_(static_cast<std::size_t>(slots)) {}

  void set(int slot, Tensor value) { values_[static_cast<std::size_t>(slot)] = std::move(value); }
  const Tensor& at(int slot) {
    const Tensor& value = values_[static_cast<std::size_t>(slot)];
    if (!value.defined()) unstack_with(slot);
    return value;
  }

  void set_stacked(std::vector<int> slots, Tensor whole) {
    stacks_.push_back({std::move(slots), std::move(whole)});
  }
  /// The values of these slots on a new leading axis; undefined if they are not few rows of one
  /// shape.
  Tensor stacked(const std::vector<int>& slots) {
    for (const Stack& stack : stacks_)
      if (stack.slots == slots) return stack.whole;
    Tensors parts;
    for (int slot : slots) {
      parts.push_back(at(slot));
      const Tensor &part = parts.back(), &first = parts.front();
      const bool fits = part.spec() == first.spec() && part.rank() < kMaxRank &&
                        !part.shape().has_symbol() && rows_of(part) <= kFewRows;
      if (!fits) return {};
    }
    return stack(parts);
  }

 private:
  struct Stack {
    std::vector<int> slots;
    Tensor whole;
  };

  void unstack_with(int slot) {
    for (const Stack& stack : stacks_) {
      if (std::find(stack.slots.begin(), stack.slots.end(), slot) == stack.slots.end()) continue;
      Tensors parts = unstack(stack.whole);
      for (std::size_t i = 0; i < parts.size(); ++i) set(stack.slots[i], std::move(parts[i]));
    }
  }

  Tensors values_;
  std::vector<Stack> stacks_;
};

void run_step(const GraphStep& step, Values& values, Mode mode) {
  Tensors arguments;
  for (int slot : step.input_slots) arguments.push_back(values.at(slot));
  Tensors results = step.call->layer->run(arguments, step.call->mode.value_or(mode));
  for (std::size_t i = 0; i < results.size(); ++i)
    values.set(step.output_slots.at(i), std::move(results[i]));
}

/// Runs alike steps as one; false if their inputs do not allow it.
bool run_stacked(std::span<const GraphStep> steps, Values& values, Mode mode) {
  std::vector<int> inputs, outputs;
  for (const GraphStep& step : steps) {
    inputs.push_back(step.input_slots[0]);
    outputs.push_back(step.output_slots[0]);
  }
  const Tensor stacked = values.stacked(inputs);
  if (!stacked.defined()) return false;
  const LayerCall& call = *steps[0].call;
  values.set_stacked(std::move(outputs), call.layer->run({stacked}, call.mode.value_or(mode))[0]);
  return true;
}

}  // namespace

Tensors LayerGraph::run(const Tensors& inputs, Mode mode) const {
  Values values(slot_count);
  for (std::size_t i = 0; i < inputs.size(); ++i) values.set(input_slots[i], inputs[i]);
  for (std::size_t i = 0; i < steps.size();) {
    const auto alike = std::span(steps).subspan(i, static_cast<std::size_t>(steps[i].alike));
    i += alike.size();
    if (alike.size() > 1 && run_stacked(alike, values, mode)) continue;
    for (const GraphStep& step : alike)
      if (!step.call->inputs.empty()) run_step(step, values, mode);
  }
  Tensors outputs;
  for (int slot : output_slots) outputs.push_back(values.at(slot));
  return outputs;
}

bool keeps_samples_apart(const LayerGraph& graph) {
  return std::all_of(graph.steps.begin(), graph.steps.end(), [](const GraphStep& step) {
    // The last axis of a tensor of rank 1 is that of the samples.
    const auto& inputs = step.call->inputs;
    return step.call->layer->keeps_samples_apart() &&
           step.call->mode.value_or(Mode::infer) == Mode::infer &&
           std::all_of(inputs.begin(), inputs.end(),
                       [](const SymbolicTensor& x) { return x.shape().rank() > 1; });
  });
}

}  // namespace milgrad::nn
