// L1 and L2 penalties.
#include "nn/regularizers.h"

#include "nn/names.h"
#include "tensor/operators.h"
#include "tensor/ops.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

void check_factor(const char* name, double factor) {
  if (std::isfinite(factor) && factor >= 0) return;
  throw ValueError(
      fmt::format("[{}] got the factor {}; expected a finite number >= 0", name, factor));
}

Regularizer by_name(const std::string& name) {
  if (name == "l1") return L1();
  if (name == "l2") return L2();
  throw unknown_name("regularizer", name, {"l1", "l2"});
}

}  // namespace

struct Regularizer::Rule {
  std::string name;
  Penalty penalty;
};

Regularizer::Regularizer(const char* name) : Regularizer(std::string(name)) {}
Regularizer::Regularizer(const std::string& name) : Regularizer(by_name(name)) {}
Regularizer::Regularizer(std::string name, Penalty penalty)
    : rule_(std::make_shared<const Rule>(Rule{std::move(name), std::move(penalty)})) {}

const std::string& Regularizer::name() const {
  static const std::string none = "none";
  return rule_ ? rule_->name : none;
}

Tensor Regularizer::operator()(const Tensor& weight) const {
  if (!rule_)
    throw ValueError("[regularizer] there is no penalty to compute", "use L1, L2 or L1L2");
  Tensor result = rule_->penalty(weight);
  if (result.rank() != 0)
    throw ShapeError(
        fmt::format("[{}] the penalty on a weight {} has shape {}; expected a scalar", rule_->name,
                    weight.shape().to_string(), result.shape().to_string()),
        "sum it");
  return result;
}

Regularizer L1(double l1) {
  check_factor("L1", l1);
  return Regularizer("l1", [l1](const Tensor& w) { return sum(abs(w)) * l1; });
}

Regularizer L2(double l2) {
  check_factor("L2", l2);
  return Regularizer("l2", [l2](const Tensor& w) { return sum(square(w)) * l2; });
}

Regularizer L1L2(const L1L2Options& options) {
  check_factor("L1L2", options.l1);
  check_factor("L1L2", options.l2);
  return Regularizer("l1_l2", [options](const Tensor& w) {
    return sum(abs(w)) * options.l1 + sum(square(w)) * options.l2;
  });
}

}  // namespace milgrad::nn
