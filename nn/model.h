// Model: a graph of layers between inputs and outputs.
#pragma once

#include "nn/layer.h"
#include "nn/summary.h"
#include "nn/trainer.h"
#include "nn/weights_file.h"
#include "tensor/tensor.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad::nn {

struct LayerGraph;
struct TrainerState;

struct ModelOptions {
  /// Empty: "functional", "functional_1", ...
  std::string name = {};
};

/// Everything on the paths from `inputs` to `outputs`; layers and their weights are shared with
/// every other model that holds them. Models may also be cut from the inner tensors of another:
/// Model(model.input(), model.get_layer("alpha").output()). A cheap handle: copies are one model.
class Model {
 public:
  /// Throws ValueError if an output cannot be computed from the inputs, or if two layers have one
  /// name.
  Model(const OneOrMany<SymbolicTensor>& inputs, const OneOrMany<SymbolicTensor>& outputs,
        const ModelOptions& options = {});

  const std::string& name() const;
  OneOrMany<SymbolicTensor> input() const { return inputs(); }
  OneOrMany<SymbolicTensor> output() const { return outputs(); }
  const SymbolicTensors& inputs() const;
  const SymbolicTensors& outputs() const;
  /// The names of the layers that give the inputs and outputs, one per tensor.
  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;

  /// Computes the outputs. Each input has the symbolic input's shape, with any number of samples;
  /// it is cast to the input's dtype, and a trailing axis of size 1 is dropped or added. Throws
  /// ValueError for another number of inputs, ShapeError for other shapes or sample counts.
  OneOrMany<Tensor> operator()(const OneOrMany<Tensor>& inputs, Mode mode = Mode::infer) const;

  /// In Keras's order: from the inputs to the outputs, by greatest distance to an output.
  const std::vector<Handle<Layer>>& layers() const;
  /// Throws ValueError listing the names, or the number of layers, if there is none such.
  Layer& get_layer(std::string_view name) const;
  Layer& get_layer(int index) const;

  /// The calls it runs.
  const LayerGraph& graph() const;

  /// Weights of all layers in their order.
  std::vector<Weight> weights() const;
  std::vector<Weight> trainable_weights() const;
  std::vector<Weight> non_trainable_weights() const;
  std::int64_t count_params() const;
  /// Copies of the values of weights(), which later training does not change.
  Tensors get_weights() const;
  /// Throws ValueError or ShapeError and changes nothing unless all counts and shapes agree.
  void set_weights(const Tensors& values);
  /// One penalty per regularised trainable weight, in weight order.
  Tensors losses() const;

  /// Prints Keras's table.
  void summary(const SummaryOptions& options = {}) const;
  void save_weights(const std::filesystem::path& path,
                    const SaveWeightsOptions& options = {}) const;
  LoadReport load_weights(const std::filesystem::path& path,
                          const LoadWeightsOptions& options = {});

  /// Sets optimizer, loss and metrics, and which weights are trained from now on; a fit() that is
  /// running keeps those it began with. One output only (ValueError).
  void compile(const CompileOptions& options);
  /// Trains on samples (the leading axis of inputs and labels), in Keras's order of events. Throws
  /// ValueError before anything is changed: not compiled, no samples, counts that differ, labels
  /// that do not fit. The logs are named as in Keras: "loss", the metrics, and "val_" + either.
  History fit(const OneOrMany<Tensor>& inputs, const Tensor& labels,
              const FitOptions& options = {});
  /// Loss (penalties included) and metrics, in that order.
  Logs evaluate(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                const EvaluateOptions& options = {});
  /// The outputs of all samples, computed batch by batch; needs no compile().
  OneOrMany<Tensor> predict(const OneOrMany<Tensor>& inputs,
                            const PredictOptions& options = {}) const;
  /// One step on these samples; their loss before it and metrics.
  Logs train_on_batch(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                      const TrainOnBatchOptions& options = {});
  /// Throws ValueError before compile().
  Optimizer& optimizer() const;

  /// The state that compile() made, shared by all copies; null before.
  const std::shared_ptr<TrainerState>& trainer() const;
  void set_trainer(std::shared_ptr<TrainerState> trainer);
  /// The optimizer whose state stands in the model's weight files; null: none.
  const std::shared_ptr<OptimizerState>& optimizer_state() const;
  void set_optimizer_state(std::shared_ptr<OptimizerState> state);

 private:
  std::shared_ptr<TrainerState> require_trainer(const char* what) const;
  /// One batch of predict().
  Tensors infer(const Tensors& inputs) const;

  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace milgrad::nn
