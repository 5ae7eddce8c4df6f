// TrainerState: what compile() makes of a model, and the steps that training consists of.
#pragma once

#include "nn/metrics/mean.h"
#include "nn/model.h"
#include "nn/samples.h"

#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace milgrad::nn {

/// Each step is one function of tensors: nothing in it is read on the host, so that it can be
/// traced. Loss and metrics gather in Variables.
struct TrainerState {
  TrainerState(const Model& model, const CompileOptions& options);

  /// Forward, loss, gradients, update of the weights, metrics.
  void train_step(const Model& model, const Samples& batch);
  /// Forward, loss, metrics. `penalty` is penalties(), which a step does not change.
  void test_step(const Model& model, const Samples& batch, const Tensor& penalty);
  /// The sum of the regularizers' penalties, undefined if there is none.
  Tensor penalties() const;

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

 private:
  void take_in(const Samples& batch, const Tensor& y_pred, const Tensor& batch_loss);

  std::vector<std::pair<std::string, std::shared_ptr<Metric>>> metrics_;
  std::vector<Variable> trained_;
  Tensors leaves_;
  std::vector<Weight> penalised_;
  bool optimizer_is_ours_ = false;  // it was built for trained_
  std::vector<bool> flags_;         // of the model's layers: trainable
};

}  // namespace milgrad::nn
