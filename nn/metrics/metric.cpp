// Metrics by name.
#include "nn/metrics/metric.h"

#include "nn/losses.h"
#include "nn/metrics/accuracy.h"
#include "nn/names.h"

namespace milgrad::nn {
namespace {

std::shared_ptr<Metric> mean_error(const std::string& name, const Loss& per_sample) {
  return std::make_shared<MeanMetric>(name, Direction::down,
                                      [per_sample](const Tensor& y_true, const Tensor& y_pred) {
                                        return per_sample.compute(y_true, y_pred);
                                      });
}

}  // namespace

std::shared_ptr<Metric> Metric::by_name(const std::string& name) {
  if (name == "accuracy" || name == "acc") return Accuracy({.name = name});
  if (name == "sparse_categorical_accuracy") return SparseCategoricalAccuracy();
  if (name == "categorical_accuracy") return CategoricalAccuracy();
  if (name == "binary_accuracy") return BinaryAccuracy();
  const LossOptions each{.reduction = Reduction::none};
  if (name == "mean_squared_error" || name == "mse")
    return mean_error(name, MeanSquaredError(each));
  if (name == "mean_absolute_error" || name == "mae")
    return mean_error(name, MeanAbsoluteError(each));
  throw unknown_name(
      "metric", name,
      {"accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy",
       "mean_squared_error", "mse", "mean_absolute_error", "mae"});
}

}  // namespace milgrad::nn
