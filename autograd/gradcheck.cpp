// Random-direction projections against central differences.
#include "autograd/gradcheck.h"

#include "autograd/grad.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <fmt/format.h>

namespace milgrad {
namespace {

// Truncation falls with the square of the step, rounding rises with its inverse.
constexpr double kSteps[] = {1e-5, 3e-6};

Tensor random_like(const Tensor& x, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<std::size_t>(x.numel()));
  for (double& value : values) value = normal(random);
  return tensor(values, x.shape());
}

double dot(const Tensor& a, const Tensor& b) {
  const auto x = a.data<double>(), y = b.data<double>();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

Tensor moved(const Tensor& x, double step, const Tensor& direction) {
  std::vector<double> values = x.to_vector<double>();
  const auto u = direction.data<double>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += step * u[i];
  return tensor(values, x.shape());
}

class Checker {
 public:
  Checker(const TensorFunction& f, const Tensors& inputs, const GradcheckOptions& options,
          const std::vector<int>& fixed)
      : f_(f), inputs_(inputs), options_(options), random_(options.seed) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].dtype() == DType::float32)
        throw DTypeError(fmt::format("[gradcheck] input {} is float32", i),
                         "central differences need float64");
      if (inputs[i].dtype() == DType::float64 &&
          std::find(fixed.begin(), fixed.end(), static_cast<int>(i)) == fixed.end())
        wanted_.push_back(i);
    }
  }

  GradcheckResult run() {
    const Tensors outputs = f_(inputs_);
    for (const Tensor& y : outputs)
      cotangents_.push_back(is_floating(y.dtype()) ? random_like(y, random_) : Tensor());
    const Tensors gradients = exact_gradients();
    for (std::size_t k = 0; k < wanted_.size(); ++k) compare(k, gradients[k]);
    if (result_.ok && options_.order > 1) check_next_order();
    return result_;
  }

 private:
  Tensors exact_gradients() const {
    Tensors leaves = inputs_, wrt;
    for (std::size_t i : wanted_) wrt.push_back(leaves[i] = requires_grad(inputs_[i]));
    return grad(f_(leaves), wrt, {.cotangents = cotangents_});
  }

  /// <v, f(x + step u)> with u in input `i` alone.
  double projected(std::size_t i, double step, const Tensor& direction) const {
    Tensors x = inputs_;
    x[i] = moved(x[i], step, direction);
    const Tensors y = f_(x);
    double sum = 0;
    for (std::size_t j = 0; j < y.size(); ++j)
      if (cotangents_[j].defined()) sum += dot(cotangents_[j], y[j]);
    return sum;
  }

  void compare(std::size_t k, const Tensor& gradient) {
    const std::size_t i = wanted_[k];
    const Tensor direction = random_like(inputs_[i], random_);
    const double exact = dot(gradient, direction);
    for (double step : kSteps) {
      const double numeric =
          (projected(i, step, direction) - projected(i, -step, direction)) / (2 * step);
      const double error = std::abs(exact - numeric) / std::max(1.0, std::abs(exact));
      result_.worst_error = std::max(result_.worst_error, error);
      if (error <= options_.tolerance) continue;  // NaN goes on
      result_.ok = false;
      result_.message = fmt::format(
          "derivative for input {} is {:.12g}, central differences (step {:g}) give {:.12g}: "
          "relative error {:.3g}",
          i, exact, step, numeric, error);
    }
  }

  /// The rule itself as a function of the inputs and the cotangents.
  void check_next_order() {
    Tensors arguments = inputs_;
    for (const Tensor& v : cotangents_)
      if (v.defined()) arguments.push_back(v);
    const TensorFunction rule = [this](const Tensors& given) {
      Tensors x(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(inputs_.size()));
      Tensors wrt, cotangents;
      for (std::size_t i : wanted_) {
        if (!x[i].requires_grad()) x[i] = milgrad::requires_grad(x[i]);
        wrt.push_back(x[i]);
      }
      std::size_t next = inputs_.size();
      for (const Tensor& v : cotangents_) cotangents.push_back(v.defined() ? given[next++] : v);
      return grad(f_(x), wrt, {.cotangents = cotangents, .create_graph = true});
    };
    std::vector<int> fixed;
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (std::find(wanted_.begin(), wanted_.end(), i) == wanted_.end())
        fixed.push_back(static_cast<int>(i));
    GradcheckOptions options = options_;
    options.order = options_.order - 1;
    options.seed = options_.seed + 1;
    GradcheckResult next = gradcheck(rule, arguments, options, fixed);
    result_.worst_error = std::max(result_.worst_error, next.worst_error);
    if (next.ok) return;
    result_.ok = false;
    result_.message = "gradient of the gradient: " + next.message;
  }

  const TensorFunction& f_;
  const Tensors& inputs_;
  const GradcheckOptions& options_;
  std::mt19937_64 random_;
  std::vector<std::size_t> wanted_;
  Tensors cotangents_;
  GradcheckResult result_;
};

}  // namespace

GradcheckResult gradcheck(const TensorFunction& f, const Tensors& inputs,
                          const GradcheckOptions& options, const std::vector<int>& fixed) {
  return Checker(f, inputs, options, fixed).run();
}

}  // namespace milgrad
