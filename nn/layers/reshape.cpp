// Reshape.
#include "nn/layers/reshape.h"

#include "tensor/ops.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

/// `target` with its -1 replaced by what is left of a sample; throws if that does not fit.
Shape resolve(const std::string& layer, const Shape& target, const Shape& input) {
  const Dim available = input.product(1, input.rank());
  Dim known = 1;
  for (Dim size : target) known *= size == -1 ? 1 : size;
  Shape result = target;
  for (int axis = 0; axis < target.rank(); ++axis)
    if (target[axis] == -1) result[axis] = known == 0 ? 0 : available / known;
  if (result.product(0, result.rank()) != available)
    throw ShapeError(
        fmt::format("[{}] got an input of shape {}, {} elements per sample, which do "
                    "not fill {}",
                    layer, input.to_string(), available, target.to_string()));
  return result;
}

}  // namespace

ReshapeLayer::ReshapeLayer(const Shape& target, const LayerOptions& options)
    : Layer(options), target_(target) {
  const bool negative = std::any_of(target.begin(), target.end(), [](Dim d) { return d < -1; });
  if (negative || std::count(target.begin(), target.end(), -1) > 1)
    throw ValueError(fmt::format("[Reshape] got the target {}; expected sizes >= 0, at most one -1",
                                 target.to_string()));
}

void ReshapeLayer::check_inputs(const std::vector<Shape>& inputs) const {
  expect_one_input(inputs);
}

Tensors ReshapeLayer::call(const Tensors& inputs, Mode) {
  Shape shape = resolve(name(), target_, inputs[0].shape());
  // Samples without elements leave nothing from which -1 could be computed.
  const bool empty = shape.product(0, shape.rank()) == 0;
  shape.insert(0, empty ? inputs[0].shape()[0] : -1);
  return {reshape(inputs[0], shape)};
}

Handle<ReshapeLayer> Reshape(const Shape& target, const LayerOptions& options) {
  return make_layer<ReshapeLayer>(target, options);
}

}  // namespace milgrad::nn
