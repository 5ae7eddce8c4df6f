// Accuracies, and the rule by which "accuracy" chooses among them.
#include "nn/metrics/accuracy.h"

#include "tensor/ops.h"

namespace milgrad::nn {
namespace {

Tensor drop_last_one(const Tensor& x) {
  return x.rank() > 1 && x.shape().back() == 1 ? squeeze(x, {x.rank() - 1}) : x;
}

/// Fractional labels match no class, so floating labels are compared as they are.
Tensor sparse_matches(const Tensor& y_true, const Tensor& y_pred) {
  const Tensor labels = y_true.rank() == y_pred.rank() ? drop_last_one(y_true) : y_true;
  const Tensor predicted = argmax(y_pred);
  return is_floating(labels.dtype()) ? equal(labels, cast(predicted, labels.dtype()))
                                     : equal(cast(labels, DType::int64), predicted);
}

Tensor categorical_matches(const Tensor& y_true, const Tensor& y_pred) {
  return equal(argmax(y_true), argmax(y_pred));
}

Tensor binary_matches(const Tensor& y_true, const Tensor& y_pred, double threshold) {
  const Tensor predicted = cast(greater(drop_last_one(y_pred), threshold), y_pred.dtype());
  const Tensor matches = equal(cast(drop_last_one(y_true), y_pred.dtype()), predicted);
  return matches.rank() > 1 ? mean(cast(matches, y_pred.dtype()), {matches.rank() - 1}) : matches;
}

Tensor matches(const Tensor& y_true, const Tensor& y_pred) {
  if (y_pred.shape().back() == 1) return binary_matches(y_true, y_pred, 0.5);
  if (y_true.rank() < y_pred.rank() || y_true.shape().back() == 1)
    return sparse_matches(y_true, y_pred);
  return categorical_matches(y_true, y_pred);
}

std::shared_ptr<Metric> share_of(const std::string& name, MeanMetric::PerSample per_sample) {
  return std::make_shared<MeanMetric>(name, Direction::up, std::move(per_sample));
}

}  // namespace

std::shared_ptr<Metric> Accuracy(const AccuracyOptions& options) {
  return share_of(options.name, matches);
}

std::shared_ptr<Metric> SparseCategoricalAccuracy(const SparseCategoricalAccuracyOptions& options) {
  return share_of(options.name, sparse_matches);
}

std::shared_ptr<Metric> CategoricalAccuracy(const CategoricalAccuracyOptions& options) {
  return share_of(options.name, categorical_matches);
}

std::shared_ptr<Metric> BinaryAccuracy(const BinaryAccuracyOptions& options) {
  return share_of(options.name,
                  [threshold = options.threshold](const Tensor& y_true, const Tensor& y_pred) {
                    return binary_matches(y_true, y_pred, threshold);
                  });
}

}  // namespace milgrad::nn
