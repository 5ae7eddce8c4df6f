// Counting classes, and the weight of each sample.
#include "nn/class_weights.h"

#include "tensor/ops.h"

#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {
namespace {

/// The class of each sample of labels [n], [n, 1] or one-hot [n, classes], rounded as Keras does.
std::vector<std::int64_t> classes_of(const Tensor& labels) {
  if (labels.rank() == 2 && labels.size(1) > 1) return argmax(labels).to_vector<std::int64_t>();
  if (labels.rank() != 1 && labels.rank() != 2)
    throw ShapeError(fmt::format("[class weights] labels {}; expected (n,), (n, 1) or (n, classes)",
                                 labels.shape().to_string()));
  std::vector<std::int64_t> classes;
  visit_dtype(labels.dtype(), [&]<class T>() {
    for (const T label : labels.data<T>()) {
      const auto value = static_cast<double>(label);
      if (!std::isfinite(value))
        throw ValueError(fmt::format("[class weights] row {} has the label {}; expected a class",
                                     classes.size(), value));
      classes.push_back(std::llrint(value));
    }
  });
  return classes;
}

}  // namespace

ClassWeights compute_class_weights(const Tensor& labels, std::int64_t classes) {
  if (classes < 1)
    throw ValueError(
        fmt::format("[compute_class_weights] {} classes; expected 1 or more", classes));
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes), 0);
  const std::vector<std::int64_t> found = classes_of(labels);
  for (std::size_t row = 0; row < found.size(); ++row) {
    if (found[row] < 0 || found[row] >= classes)
      throw ValueError(
          fmt::format("[compute_class_weights] row {} has the label {}; expected "
                      "0..{}",
                      row, found[row], classes - 1));
    ++counts[static_cast<std::size_t>(found[row])];
  }
  ClassWeights weights;
  for (std::int64_t c = 0; c < classes; ++c) {
    const std::int64_t count = counts[static_cast<std::size_t>(c)];
    if (count == 0)
      throw ValueError(fmt::format("[compute_class_weights] no sample has class {}: the counts of "
                                   "classes 0..{} are {}",
                                   c, classes - 1, fmt::join(counts, ", ")),
                       "draw data that holds every class, or train without class weights");
    weights[c] = static_cast<double>(found.size()) / static_cast<double>(classes * count);
  }
  return weights;
}

Tensor sample_weights(const Tensor& labels, const ClassWeights& weights, DType dtype) {
  for (const auto& [c, weight] : weights) {
    if (!std::isfinite(weight) || weight < 0)
      throw ValueError(
          fmt::format("[class weights] class {} has the weight {}; expected a finite "
                      "number of at least 0",
                      c, weight));
  }
  std::vector<double> values;
  for (const std::int64_t c : classes_of(labels)) {
    const auto weight = weights.find(c);
    values.push_back(weight == weights.end() ? 1.0 : weight->second);
  }
  const Shape shape{static_cast<Dim>(values.size())};
  return cast(tensor(values, shape), dtype);
}

}  // namespace milgrad::nn
