// The running mean, and metrics made of it.
#include "nn/metrics/mean.h"

#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <cmath>
#include <utility>

namespace milgrad::nn {
namespace {

Variable zero(const char* name) {
  return Variable(scalar(0, DType::float64), {.name = name, .trainable = false});
}

void add_to(const Variable& variable, const Tensor& x) {
  variable.assign(variable.value() + (x.rank() == 0 ? x : sum(x)));
}

/// The values with as many axes as the weights have: further ones are averaged.
Tensor to_rank(const Tensor& values, int rank) {
  Axes further;
  for (int axis = rank; axis < values.rank(); ++axis) further.push_back(axis);
  return further.rank() == 0 ? values : mean(values, further);
}

}  // namespace

Mean::Mean() : total_(zero("total")), count_(zero("count")) {}

void Mean::update(const Tensor& values, const Tensor& weights) {
  const NoGrad no_grad;
  const Tensor v = cast(values, DType::float64);
  if (!weights.defined()) {
    add_to(total_, v);
    add_to(count_, size_of(v));
    return;
  }
  const Tensor w = cast(weights, DType::float64);
  const Tensor reduced = to_rank(v, w.rank());
  add_to(total_, reduced * w);
  add_to(count_, broadcast_like(w, reduced));
}

double Mean::result() const {
  const double count = count_.value().item();
  if (count == 0) return 0;
  // A NaN that arithmetic makes on x86 is negative and would be printed as "-nan".
  const double mean = total_.value().item() / count;
  return std::isnan(mean) ? std::abs(mean) : mean;
}

void Mean::reset() {
  const Tensor nothing = scalar(0, DType::float64);
  total_.assign(nothing);
  count_.assign(nothing);
}

MeanMetric::MeanMetric(std::string name, Direction direction, PerSample per_sample)
    : Metric(std::move(name)), direction_(direction), per_sample_(std::move(per_sample)) {}

void MeanMetric::update_state(const Tensor& y_true, const Tensor& y_pred,
                              const Tensor& sample_weight) {
  const NoGrad no_grad;
  mean_.update(per_sample_(y_true, y_pred), sample_weight);
}

}  // namespace milgrad::nn
