// Casts, reshapes by a trailing axis, and checks what a model is fed.
#include "nn/model_inputs.h"

#include "nn/layer.h"
#include "tensor/ops.h"

#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {
namespace {

/// The number of samples that makes `expected` into `shape`; empty if none does. Without a
/// symbolic size the result is 0.
std::optional<Dim> match(const Shape& expected, const Shape& shape) {
  if (expected.rank() != shape.rank()) return std::nullopt;
  Dim samples = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!is_symbolic(expected[axis])) {
      if (expected[axis] != shape[axis]) return std::nullopt;
      continue;
    }
    const std::int64_t multiple = symbol_multiple(expected[axis]);
    const bool traced = is_symbolic(shape[axis]);
    const std::int64_t size = traced ? symbol_multiple(shape[axis]) : shape[axis];
    if (size % multiple != 0) return std::nullopt;
    samples = traced ? symbolic_dim(symbol_of(shape[axis]), size / multiple) : size / multiple;
  }
  return samples;
}

Tensor fit_rank(const Tensor& x, const Shape& expected) {
  const int rank = x.rank();
  if (rank == expected.rank() + 1 && x.shape()[rank - 1] == 1) return squeeze(x, {-1});
  if (rank == expected.rank() - 1 && expected.back() == 1) return expand_dims(x, {-1});
  return x;
}

std::string count_hint(const SymbolicTensors& inputs, const Tensors& given) {
  if (given.size() == 1 && given[0].rank() == inputs[0].shape().rank() + 1 &&
      given[0].shape()[0] == static_cast<Dim>(inputs.size()))
    return "a stacked tensor is not split; pass a list of " + std::to_string(inputs.size());
  return "pass one tensor for each input, in the model's order";
}

void check_count(const std::string& model, const SymbolicTensors& inputs, const Tensors& given) {
  if (given.size() == inputs.size()) return;
  std::vector<std::string> names, shapes;
  for (const SymbolicTensor& x : inputs)
    names.push_back(x.layer().name() + " " + x.shape().to_string());
  for (const Tensor& x : given) shapes.push_back(x.defined() ? x.shape().to_string() : "undefined");
  throw ValueError(fmt::format("[{}] got {} input{} of shape {}; expected {}: {}", model,
                               given.size(), given.size() == 1 ? "" : "s", fmt::join(shapes, ", "),
                               inputs.size(), fmt::join(names, ", ")),
                   count_hint(inputs, given));
}

}  // namespace

Tensors adapt_model_inputs(const std::string& model, const SymbolicTensors& inputs,
                           const Tensors& given) {
  check_count(model, inputs, given);
  Tensors result;
  result.reserve(given.size());
  std::optional<Dim> samples;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Spec& expected = inputs[i].spec();
    if (!given[i].defined())
      throw ValueError(
          fmt::format("[{}] input {} ({}) is undefined", model, i, inputs[i].layer().name()));
    Tensor x = fit_rank(given[i], expected.shape);
    const std::optional<Dim> count = match(expected.shape, x.shape());
    if (!count)
      throw ShapeError(fmt::format("[{}] input {} ({}) has shape {}; expected {}", model, i,
                                   inputs[i].layer().name(), given[i].shape().to_string(),
                                   expected.shape.to_string()),
                       "N is any number of samples");
    if (samples && *samples != *count)
      throw ShapeError(fmt::format("[{}] input {} ({}) has {} samples; input 0 ({}) has {}", model,
                                   i, inputs[i].layer().name(), dim_to_string(*count),
                                   inputs[0].layer().name(), dim_to_string(*samples)),
                       "all inputs of one call have the same number of samples");
    samples = count;
    result.push_back(x.dtype() == expected.dtype ? x : cast(x, expected.dtype));
  }
  return result;
}

}  // namespace milgrad::nn
