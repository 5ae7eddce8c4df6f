// What the tests of nn share: caught error texts, close values, and the attention layer of the
// Keras MIL example, written through the public API as a user would.
#pragma once

#include "nn/layers.h"
#include "nn/model.h"
#include "nn/weights_file.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <string>
#include <utility>
#include <vector>

namespace milgrad::test {

/// The message of the E that `f` throws; "" if it throws none.
template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

/// 0, 1, 2, ... scaled; row-major.
inline Tensor ramp(const Shape& shape, double scale = 1, DType dtype = DType::float32) {
  return reshape(arange(0, static_cast<double>(shape.numel()), 1, dtype), shape) * scale;
}

/// The state of an optimizer that was built, called "adam".
class BuiltAdam final : public nn::OptimizerState {
 public:
  BuiltAdam(const Tensor& iteration, const Tensor& learning_rate, const Tensors& slots)
      : variables_{Variable(iteration), Variable(learning_rate)} {
    for (const Tensor& slot : slots) variables_.emplace_back(slot);
  }
  std::string name() const override { return "adam"; }
  bool built() const override { return true; }
  std::vector<Variable> variables() const override { return variables_; }

 private:
  std::vector<Variable> variables_;
};

/// keras.io/examples/vision/attention_mil_classification: weights of instances, softmax over them.
class AttentionLayer final : public nn::Layer {
 public:
  AttentionLayer(std::int64_t dim, bool gated, std::string name)
      : Layer({.name = std::move(name)}), dim_(dim), gated_(gated) {}
  std::string class_name() const override { return "MILAttentionLayer"; }

 protected:
  void build(const std::vector<Shape>& inputs) override {
    const Dim features = inputs[0].back();
    v_ = add_weight({.name = "v", .shape = {features, dim_}, .regularizer = nn::L2(0.01)});
    w_ = add_weight({.name = "w", .shape = {dim_, 1}, .regularizer = nn::L2(0.01)});
    if (gated_)
      u_ = add_weight({.name = "u", .shape = {features, dim_}, .regularizer = nn::L2(0.01)});
  }

  Tensors call(const Tensors& inputs, nn::Mode) override {
    Tensors scores;
    for (const Tensor& x : inputs) {
      Tensor hidden = tanh(matmul(x, v_));
      if (gated_) hidden = hidden * sigmoid(matmul(x, u_));
      scores.push_back(matmul(hidden, w_));
    }
    return unstack(softmax(stack(scores), 0));
  }

 private:
  std::int64_t dim_;
  bool gated_;
  Variable v_, w_, u_;
};

/// The example's model with `instances` images per bag.
inline nn::Model example_model(int instances = 3, bool gated = true) {
  const auto dense_1 = nn::Dense(128, {.activation = "relu"});
  const auto dense_2 = nn::Dense(64, {.activation = "relu"});
  nn::SymbolicTensors inputs, embeddings, weighted;
  for (int i = 0; i < instances; ++i) {
    inputs.push_back(nn::Input({28, 28}));
    embeddings.push_back(dense_2(dense_1(nn::Flatten()(inputs.back()))));
  }
  const auto alpha = nn::make_layer<AttentionLayer>(
      256, gated, "alpha")(nn::OneOrMany<nn::SymbolicTensor>(embeddings));
  for (std::size_t i = 0; i < embeddings.size(); ++i)
    weighted.push_back(nn::multiply({alpha[i], embeddings[i]}));
  const auto joined = nn::concatenate(weighted, {.axis = 1});
  return nn::Model(inputs, nn::Dense(2, {.activation = "softmax"})(joined));
}

}  // namespace milgrad::test
