// The table of activation functions.
#include "nn/activations.h"

#include "nn/names.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

Tensor relu6(const Tensor& x) { return minimum(relu(x), 6); }
Tensor leaky_relu(const Tensor& x) { return where(greater_equal(x, 0), x, x * 0.2); }
Tensor hard_sigmoid(const Tensor& x) { return relu6(x + 3) / 6; }
Tensor silu(const Tensor& x) { return x * sigmoid(x); }
Tensor hard_silu(const Tensor& x) { return x * hard_sigmoid(x); }

// Klambauer et al. 2017, arXiv:1706.02515: the fixed point has mean 0 and variance 1.
Tensor selu(const Tensor& x) {
  constexpr double kAlpha = 1.6732632423543772848170429916717;
  constexpr double kScale = 1.0507009873554804934193349852946;
  return elu(x, kAlpha) * kScale;
}

struct Entry {
  std::string_view name;
  Tensor (*function)(const Tensor&);  // null: the identity
};

constexpr std::array kActivations{
    Entry{"linear", nullptr},
    Entry{"elu", [](const Tensor& x) { return elu(x); }},
    Entry{"exponential", [](const Tensor& x) { return exp(x); }},
    Entry{"gelu", [](const Tensor& x) { return gelu(x); }},
    Entry{"hard_sigmoid", hard_sigmoid},
    Entry{"hard_silu", hard_silu},
    Entry{"hard_swish", hard_silu},
    Entry{"hard_tanh", [](const Tensor& x) { return clip(x, -1, 1); }},
    Entry{"leaky_relu", leaky_relu},
    Entry{"log_sigmoid", [](const Tensor& x) { return -softplus(-x); }},
    Entry{"log_softmax", [](const Tensor& x) { return log_softmax(x); }},
    Entry{"mish", [](const Tensor& x) { return x * tanh(softplus(x)); }},
    Entry{"relu", [](const Tensor& x) { return relu(x); }},
    Entry{"relu6", relu6},
    Entry{"selu", selu},
    Entry{"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    Entry{"silu", silu},
    Entry{"softmax", [](const Tensor& x) { return softmax(x); }},
    Entry{"softplus", [](const Tensor& x) { return softplus(x); }},
    Entry{"softsign", [](const Tensor& x) { return x / (abs(x) + 1); }},
    Entry{"swish", silu},
    Entry{"tanh", [](const Tensor& x) { return tanh(x); }},
};

}  // namespace

ActivationFunction::ActivationFunction(const char* name) : ActivationFunction(std::string(name)) {}

ActivationFunction::ActivationFunction(const std::string& name) : name_(name) {
  for (const Entry& entry : kActivations) {
    if (entry.name != name) continue;
    if (entry.function != nullptr) function_ = std::make_shared<const Function>(entry.function);
    return;
  }
  throw unknown_name("activation", name, activation_names());
}

ActivationFunction::ActivationFunction(std::string name, Function function)
    : name_(std::move(name)),
      named_(false),
      function_(std::make_shared<const Function>(std::move(function))) {
  if (!*function_) throw ValueError(fmt::format("[activation] \"{}\" has no function", name_));
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kActivations) names.emplace_back(entry.name);
  return names;
}

}  // namespace milgrad::nn
