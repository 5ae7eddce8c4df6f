// Mean: a running weighted mean, and metrics that are the mean of a value per sample.
#pragma once

#include "nn/metrics/metric.h"

#include <functional>

namespace milgrad::nn {

/// sum(w v) / sum(w) over all updates, in float64; 0 before the first, as 0/0 is 0 in Keras.
class Mean {
 public:
  Mean();

  /// Without weights every value counts once. Weights broadcast against the values.
  void update(const Tensor& values, const Tensor& weights = {});
  double result() const;
  void reset();
  std::vector<Variable> variables() const { return {total_, count_}; }

 private:
  Variable total_;
  Variable count_;
};

/// The mean over samples of a function of labels and predictions, which gives [n, ...]; further
/// axes are averaged first.
class MeanMetric : public Metric {
 public:
  using PerSample = std::function<Tensor(const Tensor& y_true, const Tensor& y_pred)>;

  MeanMetric(std::string name, Direction direction, PerSample per_sample);

  Direction direction() const override { return direction_; }
  bool is_mean_over_samples() const override { return true; }
  void update_state(const Tensor& y_true, const Tensor& y_pred,
                    const Tensor& sample_weight = {}) override;
  double result() const override { return mean_.result(); }
  void reset_state() override { mean_.reset(); }
  std::vector<Variable> variables() const override { return mean_.variables(); }

 private:
  Direction direction_;
  PerSample per_sample_;
  Mean mean_;
};

}  // namespace milgrad::nn
