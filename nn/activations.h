// Activation functions by name.
#pragma once

#include "tensor/tensor.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace milgrad::nn {

/// A function applied to a layer's result. A string names one: "linear", "relu", "relu6",
/// "leaky_relu" (slope 0.2), "sigmoid", "hard_sigmoid" (relu6(x + 3) / 6), "tanh", "softmax" (over
/// the last axis), "log_softmax", "softplus", "softsign", "elu", "selu", "gelu" (exact, by erf),
/// "silu" ("swish"), "hard_silu" ("hard_swish"), "mish", "exponential"; an unknown one throws
/// ValueError with the nearest.
class ActivationFunction {
 public:
  using Function = std::function<Tensor(const Tensor& x)>;

  ActivationFunction(const char* name = "linear");  // NOLINT: implicit by intent
  ActivationFunction(const std::string& name);      // NOLINT: implicit by intent
  /// A function of your own, written with tensor operations.
  explicit ActivationFunction(std::string name, Function function);

  const std::string& name() const { return name_; }
  bool is_linear() const { return function_ == nullptr; }
  /// Whether it is one of the named functions, which treat each sample by itself.
  bool is_named() const { return named_; }
  Tensor operator()(const Tensor& x) const { return is_linear() ? x : (*function_)(x); }

 private:
  std::string name_;
  bool named_ = true;
  std::shared_ptr<const Function> function_;
};

/// All names that ActivationFunction takes.
std::vector<std::string> activation_names();

}  // namespace milgrad::nn
