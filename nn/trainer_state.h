// TrainerState: what compile() makes of a model, and the steps that training consists of.
#pragma once

#include "autograd/compile.h"
#include "nn/metrics/mean.h"
#include "nn/model.h"
#include "nn/samples.h"

#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace milgrad::nn {

/// Each step is one function of tensors, compiled unless the model is to run eagerly or is traced:
/// nothing in it is read on the host. Loss and metrics gather in Variables.
struct TrainerState {
  TrainerState(const Model& model, const CompileOptions& options);
  TrainerState(const TrainerState&) = delete;
  TrainerState& operator=(const TrainerState&) = delete;

  /// Forward, loss, gradients, update of the weights, metrics. Throws TraceError, unless the model
  /// runs eagerly, where a step reads values on the host.
  void train_step(const Model& model, const Samples& batch);
  /// Forward, loss, metrics. `penalty` is penalties(), which a step does not change.
  void test_step(const Model& model, const Samples& batch, const Tensor& penalty);
  /// The sum of the regularizers' penalties, undefined if there is none.
  Tensor penalties() const;
  /// Whether loss and metrics of an evaluation do not depend on how the samples are cut into
  /// batches, but for rounding.
  bool evaluates_samples_apart(const Model& model, const Samples& samples) const;

  /// Gives the optimizer its slots. Throws ValueError if it updates the variables of another model.
  void build_optimizer();
  void reset_metrics();
  /// Loss, then the metrics in the order of compile(), each name beginning with `prefix`.
  Logs results(const std::string& prefix = {}) const;
  std::vector<Run::Key> keys(const std::string& prefix) const;
  /// Writes a line naming the layers whose trainable flag is no longer that of compile(), once for
  /// each change. Keras documents this warning; there it is never reached.
  void warn_of_changed_flags(const Model& model, std::ostream& output);

  std::shared_ptr<Optimizer> optimizer;
  Loss loss;
  Mean loss_mean;
  bool run_eagerly;
  Profile* profile = nullptr;  // of the fit() that runs, where it asked for one

 private:
  enum class Kind { train, test };
  void run(Kind kind, const Model& model, const Samples& batch, const Tensor& penalty);
  void compute(Kind kind, const Model& model, const Samples& batch, const Tensor& penalty);
  CompiledFunction compile_step(Kind kind);
  void train(const Model& model, const Samples& batch);
  void test(const Model& model, const Samples& batch, const Tensor& penalty);
  void take_in(const Samples& batch, const Tensor& y_pred, const Tensor& batch_loss);

  std::vector<std::pair<std::string, std::shared_ptr<Metric>>> metrics_;
  std::vector<Variable> trained_;
  Tensors leaves_;
  std::vector<Weight> penalised_;
  bool optimizer_is_ours_ = false;  // it was built for trained_
  std::vector<bool> flags_;         // of the model's layers: trainable

  // What a compiled step is called with: inputs, labels, then weights and penalty where given.
  struct Arguments {
    Tensors tensors = {};
    const Model* model = nullptr;
    bool weights = false;
    bool penalty = false;
  };
  Arguments arguments_;
  CompiledFunction train_step_;
  CompiledFunction test_step_;
};

}  // namespace milgrad::nn
