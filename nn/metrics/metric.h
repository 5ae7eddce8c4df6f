// Metric: the base of all metrics, the library's and your own.
#pragma once

#include "nn/choice.h"
#include "tensor/variable.h"

#include <memory>
#include <string>
#include <vector>

namespace milgrad::nn {

/// Whether greater values of a metric are better (up), smaller ones (down), or neither (none).
enum class Direction { none, up, down };

/// A figure that is gathered over the batches of an epoch. Its state are Variables, updated by
/// tensor operations: nothing is read on the host before result().
class Metric {
 public:
  explicit Metric(std::string name) : name_(std::move(name)) {}
  virtual ~Metric() = default;
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  /// "accuracy", "acc": the rule for labels and predictions of the shapes at hand (binary, sparse
  /// or categorical). "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy",
  /// "mean_squared_error" ("mse"), "mean_absolute_error" ("mae"). The metric takes the name given.
  static std::shared_ptr<Metric> by_name(const std::string& name);

  /// The key in logs.
  const std::string& name() const { return name_; }
  virtual Direction direction() const = 0;
  /// Whether the result is a mean over samples, which does not depend on how they are cut into
  /// batches: then evaluations may take larger batches than asked for.
  virtual bool is_mean_over_samples() const { return false; }

  /// Takes in a batch; weights, where given, are one per sample.
  virtual void update_state(const Tensor& y_true, const Tensor& y_pred,
                            const Tensor& sample_weight = {}) = 0;
  virtual double result() const = 0;
  virtual void reset_state() = 0;
  virtual std::vector<Variable> variables() const = 0;

 private:
  std::string name_;
};

}  // namespace milgrad::nn
