// The options of compile, fit, evaluate and predict, which are members of Model.
#pragma once

#include "nn/callbacks/callback.h"
#include "nn/class_weights.h"
#include "nn/logs.h"
#include "nn/losses.h"
#include "nn/metrics/metric.h"
#include "nn/one_or_many.h"
#include "nn/optimizers/optimizer.h"
#include "tensor/tensor.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <vector>

namespace milgrad {
class Profile;
}

namespace milgrad::nn {

/// Optimizer and metrics that stand here are those of one model: make the options anew for each.
struct CompileOptions {
  Choice<Optimizer> optimizer = "adam";
  Loss loss;
  /// Not weighted by sample or class weights.
  std::vector<Choice<Metric>> metrics = {};
  /// Compute every step operation by operation instead of as a compiled program: for layers, losses
  /// and metrics of your own that read values on the host, and to step through them. Slower.
  bool run_eagerly = false;
};

/// Inputs and labels that are not trained on.
struct ValidationData {
  OneOrMany<Tensor> inputs;
  Tensor labels;
};

struct FitOptions {
  /// Number of the last epoch, counted from 1.
  int epochs = 1;
  /// Samples per step; the last batch of an epoch may be smaller.
  std::int64_t batch_size = 32;
  /// Epochs done before, so that a training can go on.
  int initial_epoch = 0;
  /// Evaluated, unweighted, at the end of the epochs that validation_freq divides.
  std::optional<ValidationData> validation_data = {};
  /// batch_size unless given.
  std::optional<std::int64_t> validation_batch_size = {};
  int validation_freq = 1;
  /// Weigh the samples of the training loss by class; a missing class counts 1.
  ClassWeights class_weight = {};
  /// A weight per sample, [n]; not together with class_weight.
  Tensor sample_weight = {};
  Callbacks callbacks = {};
  /// 0: silent, 1: progress line, 2: one line per epoch.
  int verbose = 1;
  bool shuffle = true;
  /// Epoch e goes through its n samples in the order of random_permutation(random, n), with
  /// RandomSequence random({derive_seed(shuffle_seed, e), 0}). next_seed() unless given.
  std::optional<std::uint64_t> shuffle_seed = {};
  /// Asked after every batch; true ends the training at once: no validation and no on_epoch_end,
  /// but on_train_end, so that the best weights are restored. The history says so.
  std::function<bool()> interrupted = {};
  /// Sums what the programs of training and validation steps do; a model that runs eagerly has
  /// none (ValueError).
  Profile* profile = nullptr;
  /// Standard output unless given.
  std::ostream* output = nullptr;
};

struct EvaluateOptions {
  std::int64_t batch_size = 32;
  /// A weight per sample, [n].
  Tensor sample_weight = {};
  Callbacks callbacks = {};
  int verbose = 0;
  std::ostream* output = nullptr;
};

struct PredictOptions {
  std::int64_t batch_size = 32;
  Callbacks callbacks = {};
  int verbose = 0;
  std::ostream* output = nullptr;
};

struct TrainOnBatchOptions {
  Tensor sample_weight = {};
  ClassWeights class_weight = {};
};

}  // namespace milgrad::nn
