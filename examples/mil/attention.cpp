// The attention of the example, from generic operations through the public layer interface.
#include "examples/mil/attention.h"

#include "tensor/operators.h"
#include "tensor/ops.h"

#include <fmt/format.h>

namespace mil {

using namespace milgrad;  // NOLINT: the layer is written as a user of the library would

MILAttentionLayer::MILAttentionLayer(std::int64_t weight_params_dim,
                                     const MILAttentionOptions& options)
    : Layer({.name = options.name}), weight_params_dim_(weight_params_dim), options_(options) {
  if (weight_params_dim <= 0)
    throw ValueError(fmt::format(
        "[MILAttentionLayer] got weight_params_dim {}; expected at least 1", weight_params_dim));
}

void MILAttentionLayer::check_inputs(const std::vector<Shape>& instances) const {
  for (const Shape& shape : instances)
    if (shape.rank() != 2 || !(shape == instances[0]))
      throw ShapeError(
          fmt::format("[{}] got instances of shapes {} and {}; expected all (N, features)", name(),
                      instances[0].to_string(), shape.to_string()),
          "put a Dense layer that all instances share in front");
}

void MILAttentionLayer::build(const std::vector<Shape>& instances) {
  check_inputs(instances);
  const Dim features = instances[0].back();
  const auto weight = [&](const char* name, const Shape& shape) {
    return add_weight({.name = name,
                       .shape = shape,
                       .initializer = options_.kernel_initializer,
                       .regularizer = options_.kernel_regularizer});
  };
  v_ = weight("v", {features, weight_params_dim_});
  w_ = weight("w", {weight_params_dim_, 1});
  if (options_.use_gated) u_ = weight("u", {features, weight_params_dim_});
}

Tensors MILAttentionLayer::call(const Tensors& instances, nn::Mode) {
  const Tensor h = stack(instances);  // (instances, N, features)
  Tensor hidden = tanh(linear(h, v_));
  if (options_.use_gated) hidden = hidden * sigmoid(linear(h, u_));
  return unstack(softmax(linear(hidden, w_), 0));
}

nn::Handle<MILAttentionLayer> MILAttention(std::int64_t weight_params_dim,
                                           const MILAttentionOptions& options) {
  return nn::make_layer<MILAttentionLayer>(weight_params_dim, options);
}

}  // namespace mil
