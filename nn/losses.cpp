// Losses as compositions of operations, after keras/src/losses (JAX backend), and their reductions.
#include "nn/losses.h"

#include "nn/names.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace milgrad::nn {

struct Loss::Rule {
  std::string name;
  PerSample per_sample;
  Reduction reduction;
  CheckLabels check;
};

namespace {

constexpr double kEpsilon = 1e-7;  // keras.config.epsilon()

// ---- shapes

/// Labels and predictions of one rank, as Keras aligns [n] with [n, 1]; rank 1 becomes [n, 1].
void align(Tensor& t, Tensor& p) {
  for (Tensor* x : {&t, &p}) {
    if (x->rank() == 1) *x = expand_dims(*x, {1});
  }
  if (t.rank() == p.rank() + 1 && t.shape().back() == 1) t = squeeze(t, {t.rank() - 1});
  if (p.rank() == t.rank() + 1 && p.shape().back() == 1) p = squeeze(p, {p.rank() - 1});
}

/// Sparse labels [n] or [n, 1] as [n].
Tensor class_indices(const Tensor& y_true, const Tensor& y_pred) {
  const bool trailing = y_true.rank() == y_pred.rank() && y_true.shape().back() == 1;
  return cast(trailing ? squeeze(y_true, {y_true.rank() - 1}) : y_true, DType::int64);
}

Tensor last_axis_sum(const Tensor& x, bool keep_dims = false) {
  return sum(x, {x.rank() - 1}, keep_dims);
}
Tensor last_axis_mean(const Tensor& x) { return mean(x, {x.rank() - 1}); }

/// log of probabilities made to sum to 1 and kept away from 0 and 1.
Tensor log_probabilities(const Tensor& p) {
  return log(clip(p / last_axis_sum(p, true), kEpsilon, 1 - kEpsilon));
}

// ---- checks

/// Calls check(value, row) for every label, row being its position on the leading axis.
template <class Check>
void for_each_label(const Tensor& labels, const Check& check) {
  const std::int64_t rows = labels.rank() > 0 ? labels.size(0) : 1;
  const std::int64_t per_row = rows > 0 ? labels.numel() / rows : 0;
  visit_dtype(labels.dtype(), [&]<class T>() {
    const auto values = labels.data<T>();
    for (std::int64_t i = 0; i < labels.numel(); ++i)
      check(static_cast<double>(values[static_cast<std::size_t>(i)]), i / per_row);
  });
}

/// Whether the axes behind the leading one agree, apart from a trailing 1 on either side.
bool same_samples(Shape a, Shape b) {
  for (Shape* shape : {&a, &b}) {
    if (shape->rank() > 0) shape->erase(0);
    if (shape->rank() > 0 && shape->back() == 1) shape->erase(shape->rank() - 1);
  }
  return a == b;
}

void expect_same_samples(const std::string& name, const Tensor& labels, const Shape& predictions,
                         const std::string& hint = {}) {
  if (labels.rank() > 0 && same_samples(labels.shape(), predictions)) return;
  throw ShapeError(fmt::format("[{}] labels {} for predictions {}; expected the same shape", name,
                               labels.shape().to_string(), predictions.to_string()),
                   hint);
}

void check_classes(const std::string& name, const Tensor& labels, Shape predictions) {
  const Dim classes = predictions.back();
  predictions.erase(predictions.rank() - 1);
  const bool trailing = labels.rank() == predictions.rank() + 1 && labels.shape().back() == 1;
  if ((!trailing && labels.rank() != predictions.rank()) ||
      !same_samples(labels.shape(), predictions))
    throw ShapeError(fmt::format("[{}] labels {} for predictions of {} classes; expected one class "
                                 "number per sample",
                                 name, labels.shape().to_string(), classes),
                     "one-hot labels belong to categorical_crossentropy");
  for_each_label(labels, [&](double label, std::int64_t row) {
    if (std::floor(label) == label && label >= 0 && label < static_cast<double>(classes)) return;
    throw ValueError(
        fmt::format("[{}] row {} has the label {}; expected a whole number in 0..{} "
                    "for {} classes",
                    name, row, label, classes - 1, classes));
  });
}

void check_shares(const std::string& name, const Tensor& labels, const Shape& predictions,
                  const std::string& hint = {}) {
  expect_same_samples(name, labels, predictions, hint);
  for_each_label(labels, [&](double label, std::int64_t row) {
    if (label >= 0 && label <= 1) return;
    throw ValueError(
        fmt::format("[{}] row {} has the label {}; expected values in 0..1", name, row, label));
  });
}

// ---- losses per sample

Tensor sparse_crossentropy(const Tensor& y_true, const Tensor& y_pred) {
  const Tensor chosen =
      one_hot(class_indices(y_true, y_pred), y_pred.shape().back(), y_pred.dtype());
  return -last_axis_sum(chosen * log_probabilities(y_pred));
}

Tensor sparse_crossentropy_of_logits(const Tensor& y_true, const Tensor& y_pred) {
  return sparse_softmax_cross_entropy(y_pred, class_indices(y_true, y_pred));
}

Tensor categorical_crossentropy(Tensor t, const Tensor& p, const SmoothedCrossentropyOptions& o) {
  t = cast(t, p.dtype());
  if (o.label_smoothing != 0)
    t = t * (1 - o.label_smoothing) + o.label_smoothing / static_cast<double>(p.shape().back());
  return o.from_logits ? softmax_cross_entropy(p, t) : -last_axis_sum(t * log_probabilities(p));
}

Tensor binary_crossentropy(Tensor t, Tensor p, const SmoothedCrossentropyOptions& o) {
  t = cast(t, p.dtype());
  align(t, p);
  if (o.label_smoothing != 0) t = t * (1 - o.label_smoothing) + o.label_smoothing / 2;
  if (o.from_logits) return last_axis_mean(binary_cross_entropy_with_logits(p, t));
  p = clip(p, kEpsilon, 1 - kEpsilon);
  return -last_axis_mean(t * log(p) + (1.0 - t) * log(1.0 - p));
}

Tensor difference(Tensor t, Tensor p) {
  t = cast(t, p.dtype());
  align(t, p);
  return t - p;
}

// ---- reductions

/// Weights with the axes of the losses: one trailing 1 dropped, missing trailing axes added.
Tensor aligned_weights(const std::string& name, Tensor w, const Tensor& losses) {
  const Shape given = w.shape();
  w = cast(w, losses.dtype());
  if (w.rank() == losses.rank() + 1 && w.shape().back() == 1) w = squeeze(w, {w.rank() - 1});
  while (w.rank() < losses.rank()) w = expand_dims(w, {w.rank()});
  bool fits = w.rank() == losses.rank();
  for (int axis = 0; fits && axis < w.rank(); ++axis)
    fits = w.shape()[axis] == losses.shape()[axis] || w.shape()[axis] == 1;
  if (!fits)
    throw ShapeError(fmt::format("[{}] sample_weight {} for losses {}; expected one per sample",
                                 name, given.to_string(), losses.shape().to_string()));
  return w;
}

Tensor reduce(Reduction reduction, const Tensor& losses, const Tensor& weights) {
  switch (reduction) {
    case Reduction::sum:
      return sum(losses);
    case Reduction::none:
      return losses;
    case Reduction::mean_with_sample_weight:
      if (weights.defined()) {
        const Tensor total = sum(weights);
        return sum(losses) / where(equal(total, 0.0), total + 1.0, total);
      }
      break;
    case Reduction::sum_over_batch_size:
      break;
  }
  return mean(losses);
}

Loss make_named(const std::string& name) {
  if (name == "mse") return MeanSquaredError();
  if (name == "mae") return MeanAbsoluteError();
  const std::vector<Loss> losses = {SparseCategoricalCrossentropy(), CategoricalCrossentropy(),
                                    BinaryCrossentropy(), MeanSquaredError(), MeanAbsoluteError()};
  std::vector<std::string> names = {"mse", "mae"};
  for (const Loss& loss : losses) {
    if (loss.name() == name) return loss;
    names.push_back(loss.name());
  }
  throw unknown_name("loss", name, names);
}

void check_smoothing(const char* name, double smoothing) {
  if (!(smoothing >= 0 && smoothing <= 1))
    throw ValueError(
        fmt::format("[{}] label_smoothing {}; expected a number in 0..1", name, smoothing));
}

}  // namespace

Loss::Loss(const char* name) : Loss(std::string(name)) {}
Loss::Loss(const std::string& name) : Loss(make_named(name)) {}

Loss::Loss(std::string name, PerSample per_sample, Reduction reduction, CheckLabels check)
    : rule_(std::make_shared<const Rule>(
          Rule{std::move(name), std::move(per_sample), reduction, std::move(check)})) {
  if (!rule_->per_sample)
    throw ValueError(fmt::format("[{}] the loss has no function", rule_->name));
}

const std::string& Loss::name() const { return rule_->name; }
Reduction Loss::reduction() const { return rule_->reduction; }

Tensor Loss::operator()(const Tensor& y_true, const Tensor& y_pred,
                        const Tensor& sample_weight) const {
  check_labels(y_true, y_pred.shape());
  if (y_true.rank() > 0 && y_true.size(0) != y_pred.size(0))
    throw ShapeError(fmt::format("[{}] labels {} for predictions {}; expected as many samples",
                                 name(), y_true.shape().to_string(), y_pred.shape().to_string()));
  return compute(y_true, y_pred, sample_weight);
}

void Loss::check_labels(const Tensor& y_true, const Shape& y_pred) const {
  if (!y_true.defined()) throw ValueError(fmt::format("[{}] got no labels", name()));
  if (y_pred.rank() == 0)
    throw ShapeError(fmt::format("[{}] predictions {}; expected samples on the leading axis",
                                 name(), y_pred.to_string()));
  if (rule_->check) rule_->check(y_true, y_pred);
}

Tensor Loss::compute(const Tensor& y_true, const Tensor& y_pred,
                     const Tensor& sample_weight) const {
  Tensor losses = rule_->per_sample(y_true, y_pred);
  if (!sample_weight.defined()) return reduce(rule_->reduction, losses, {});
  const Tensor weights = aligned_weights(name(), sample_weight, losses);
  return reduce(rule_->reduction, losses * weights, weights);
}

Loss SparseCategoricalCrossentropy(const CrossentropyOptions& options) {
  const std::string name = "sparse_categorical_crossentropy";
  return Loss(name, options.from_logits ? sparse_crossentropy_of_logits : sparse_crossentropy,
              options.reduction, [name](const Tensor& labels, const Shape& predictions) {
                check_classes(name, labels, predictions);
              });
}

Loss CategoricalCrossentropy(const SmoothedCrossentropyOptions& options) {
  const std::string name = "categorical_crossentropy";
  check_smoothing(name.c_str(), options.label_smoothing);
  return Loss(
      name,
      [options](const Tensor& t, const Tensor& p) {
        return categorical_crossentropy(t, p, options);
      },
      options.reduction,
      [name](const Tensor& labels, const Shape& predictions) {
        check_shares(name, labels, predictions,
                     "class numbers belong to sparse_categorical_crossentropy");
      });
}

Loss BinaryCrossentropy(const SmoothedCrossentropyOptions& options) {
  const std::string name = "binary_crossentropy";
  check_smoothing(name.c_str(), options.label_smoothing);
  return Loss(
      name,
      [options](const Tensor& t, const Tensor& p) { return binary_crossentropy(t, p, options); },
      options.reduction,
      [name](const Tensor& labels, const Shape& predictions) {
        check_shares(name, labels, predictions);
      });
}

Loss MeanSquaredError(const LossOptions& options) {
  const std::string name = "mean_squared_error";
  return Loss(
      name,
      [](const Tensor& t, const Tensor& p) { return last_axis_mean(square(difference(t, p))); },
      options.reduction,
      [name](const Tensor& labels, const Shape& predictions) {
        expect_same_samples(name, labels, predictions);
      });
}

Loss MeanAbsoluteError(const LossOptions& options) {
  const std::string name = "mean_absolute_error";
  return Loss(
      name, [](const Tensor& t, const Tensor& p) { return last_axis_mean(abs(difference(t, p))); },
      options.reduction,
      [name](const Tensor& labels, const Shape& predictions) {
        expect_same_samples(name, labels, predictions);
      });
}

}  // namespace milgrad::nn
