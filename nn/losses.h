// Loss functions with Keras 3's formulas and reductions.
#pragma once

#include "tensor/tensor.h"

#include <functional>
#include <memory>
#include <string>

namespace milgrad::nn {

/// How the losses l of the samples, with their weights w, become one number.
enum class Reduction {
  sum_over_batch_size,      // sum(w l) / number of losses, as in Keras not / sum(w)
  sum,                      // sum(w l)
  none,                     // w l, one per sample
  mean_with_sample_weight,  // sum(w l) / sum(w)
};

/// A loss: y_true (labels) and y_pred (predictions, floating) to one number. A string names one
/// with its default options: "sparse_categorical_crossentropy", "categorical_crossentropy",
/// "binary_crossentropy", "mean_squared_error" ("mse"), "mean_absolute_error" ("mae"); an unknown
/// one throws ValueError with the nearest.
class Loss {
 public:
  /// From labels and predictions [n, ...], the losses of the samples [n, ...].
  using PerSample = std::function<Tensor(const Tensor& y_true, const Tensor& y_pred)>;
  /// Throws ValueError or ShapeError for labels that do not fit predictions of this shape, whose
  /// leading size does not matter; reads the labels.
  using CheckLabels = std::function<void(const Tensor& y_true, const Shape& y_pred)>;

  Loss(const char* name);         // NOLINT: implicit by intent
  Loss(const std::string& name);  // NOLINT: implicit by intent
  /// A loss of your own, written with tensor operations. Throws ValueError without a function.
  explicit Loss(std::string name, PerSample per_sample,
                Reduction reduction = Reduction::sum_over_batch_size, CheckLabels check = {});

  const std::string& name() const;
  Reduction reduction() const;

  /// Checks the labels, then computes. sample_weight, where given, holds a weight per sample, or
  /// one per loss [n, ...]. Throws ShapeError for other weights and for another number of labels.
  Tensor operator()(const Tensor& y_true, const Tensor& y_pred,
                    const Tensor& sample_weight = {}) const;
  /// Only checks.
  void check_labels(const Tensor& y_true, const Shape& y_pred) const;
  /// Only computes, without reading anything on the host: for labels checked before, and traces.
  Tensor compute(const Tensor& y_true, const Tensor& y_pred,
                 const Tensor& sample_weight = {}) const;

 private:
  struct Rule;
  std::shared_ptr<const Rule> rule_;
};

struct CrossentropyOptions {
  /// The predictions are logits: computed by a fused operation, exact for any logits and never
  /// without a gradient. Otherwise they are probabilities, and the rule is Keras's on JAX:
  /// p / sum(p), clipped to [1e-7, 1 - 1e-7], with no gradient outside of these bounds.
  bool from_logits = false;
  Reduction reduction = Reduction::sum_over_batch_size;
};
/// -log p[label]; labels [n] or [n, 1], whole numbers of any numeric dtype in 0 .. classes - 1,
/// predictions [n, classes]. Other labels throw ValueError with row, label and classes.
Loss SparseCategoricalCrossentropy(const CrossentropyOptions& options = {});

struct SmoothedCrossentropyOptions {
  bool from_logits = false;
  /// a: labels t become t (1 - a) + a / classes (binary: a / 2).
  double label_smoothing = 0;
  Reduction reduction = Reduction::sum_over_batch_size;
};
/// -sum t log p over the last axis; labels and predictions [n, classes].
Loss CategoricalCrossentropy(const SmoothedCrossentropyOptions& options = {});
/// -(t log p + (1 - t) log(1 - p)), averaged over the last axis; labels and predictions [n, k] (or
/// both [n]).
Loss BinaryCrossentropy(const SmoothedCrossentropyOptions& options = {});

struct LossOptions {
  Reduction reduction = Reduction::sum_over_batch_size;
};
/// (t - p)^2, averaged over the last axis.
Loss MeanSquaredError(const LossOptions& options = {});
/// |t - p|, averaged over the last axis.
Loss MeanAbsoluteError(const LossOptions& options = {});

}  // namespace milgrad::nn
