// LayerGraph: the layer calls between a model's inputs and outputs, in Keras's order, and how they
// run.
#pragma once

#include "nn/layer.h"

#include <memory>
#include <vector>

namespace milgrad::nn {

/// One call as a model runs it: where its inputs lie in the table of values, where outputs go.
struct GraphStep {
  std::shared_ptr<const LayerCall> call;
  int depth = 0;  // longest path to an output, in calls
  std::vector<int> input_slots = {};
  std::vector<int> output_slots = {};
  /// How many steps from this one on are calls of one layer that may run as one.
  int alike = 1;
};

struct LayerGraph {
  std::vector<GraphStep> steps = {};  // inputs' calls first, each after what it reads
  std::vector<Handle<Layer>> layers = {};
  std::vector<int> input_slots = {};
  std::vector<int> output_slots = {};
  int slot_count = 0;

  /// Runs the steps; `inputs` are one value per input. Alike calls on few rows run as one, stacked:
  /// such a product costs what reading its weights costs.
  Tensors run(const Tensors& inputs, Mode mode) const;
};

/// Whether each sample goes through the model by itself in Mode::infer.
bool keeps_samples_apart(const LayerGraph& graph);

/// Depth of a call = longest path to an output; a layer called several times takes the greatest.
/// Layers are sorted by falling depth, ties by the depth-first walk from the outputs. A declared
/// input ends the walk, so inner tensors of another model may be inputs. Inputs that no output
/// needs are kept, at depth 0. (Keras 3: keras.src.ops.function.map_graph.)
/// Throws ValueError if an output needs an Input that is not declared, or two layers share a name.
LayerGraph build_layer_graph(const SymbolicTensors& inputs, const SymbolicTensors& outputs);

}  // namespace milgrad::nn
