// The gradient of a reference, and the check of a custom operation.
#include "autograd/custom_op.h"

#include "autograd/grad.h"
#include "tensor/apply.h"
#include "tensor/mode.h"
#include "tensor/node.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace milgrad {
namespace {

using Reference = std::function<Tensors(std::span<const Tensor>)>;

Tensors vjp_of_reference(const Reference& reference, const VjpArgs& v) {
  const bool create_graph = grad_enabled();
  const EnableGrad tracking;
  Tensors inputs, wrt, outputs, cotangents;
  for (const Tensor& x : v.inputs) inputs.push_back(is_floating(x.dtype()) ? with_own_node(x) : x);
  const Tensors results = reference(inputs);
  for (std::size_t i = 0; i < results.size(); ++i)
    if (v.cotangents[i].defined()) {
      outputs.push_back(results[i]);
      cotangents.push_back(v.cotangents[i]);
    }
  for (const Tensor& x : inputs)
    if (is_floating(x.dtype())) wrt.push_back(x);
  const Tensors gradients =
      grad(outputs, wrt, {.cotangents = cotangents, .create_graph = create_graph});
  Tensors result;
  auto next = gradients.begin();
  for (const Tensor& x : inputs) result.push_back(is_floating(x.dtype()) ? *next++ : Tensor());
  return result;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.data<double>(), y = b.data<double>();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(x[i] - y[i]) / std::max(1.0, std::abs(y[i])));
  return worst;
}

/// The first difference between an operation's outputs and those of its reference, or "".
std::string compare(const CustomOp& op, const Tensors& outputs, const Tensors& expected) {
  constexpr double kTolerance = 1e-10;
  if (outputs.size() != expected.size())
    return fmt::format("[{}] {} outputs, its reference has {}", op.name, outputs.size(),
                       expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!(outputs[i].spec() == expected[i].spec()))
      return fmt::format("[{}] output {} is {}, its reference gives {}", op.name, i,
                         outputs[i].spec().to_string(), expected[i].spec().to_string());
    if (outputs[i].dtype() != DType::float64) continue;
    const double error = largest_difference(outputs[i], expected[i]);
    if (!(error <= kTolerance))
      return fmt::format("[{}] output {} differs from its reference by {:.3g}", op.name, i, error);
  }
  return "";
}

constexpr Saves kSavesEverything{~std::uint64_t{0}, ~std::uint64_t{0}};

}  // namespace

std::shared_ptr<const CustomOp> make_custom_op(CustomOp op) {
  if (op.name.empty() || !op.infer)
    throw ValueError("[custom] the operation lacks a name or a shape rule",
                     "set `name` and `infer`");
  if (!op.vjp && op.reference && op.why_not.empty()) {
    op.saves = kSavesAllInputs;
    op.vjp = [reference = op.reference](const VjpArgs& v) {
      return vjp_of_reference(reference, v);
    };
  }
  return std::make_shared<const CustomOp>(std::move(op));
}

std::function<Tensors(const Tensors&)> custom_vjp(std::function<Tensors(const Tensors&)> forward,
                                                  std::function<Tensors(const VjpArgs&)> backward) {
  if (!forward || !backward)
    throw ValueError("[custom_vjp] got an empty function", "give both forward and backward");
  const auto op = std::make_shared<const CustomOp>(
      CustomOp{.name = "custom_vjp", .vjp = std::move(backward), .saves = kSavesEverything});
  return [op, forward = std::move(forward)](const Tensors& inputs) {
    Tensors outputs;
    {
      const NoGrad inner_operations;
      // Outputs of their own: a function may give back what it got.
      for (const Tensor& y : forward(inputs)) outputs.push_back(y.with_edge({}));
    }
    const bool tracked = std::any_of(inputs.begin(), inputs.end(),
                                     [](const Tensor& x) { return x.requires_grad(); });
    if (tracked && grad_enabled()) record_on_tape(Op::custom, CustomAttrs{op}, inputs, outputs);
    return outputs;
  };
}

GradcheckResult gradcheck(const std::shared_ptr<const CustomOp>& op,
                          const GradcheckOptions& options) {
  if (!op->samples || op->samples().empty())
    throw ValueError(fmt::format("[{}] the operation has no samples to check", op->name),
                     "set `samples`");
  GradcheckResult worst;
  for (const Tensors& inputs : op->samples()) {
    if (op->reference) {
      worst.message = compare(*op, apply_custom(op, inputs), op->reference(inputs));
      worst.ok = worst.message.empty();
      if (!worst.ok) return worst;
    }
    if (!op->vjp) continue;
    const auto function = [&](const Tensors& x) { return apply_custom(op, x); };
    GradcheckResult result = gradcheck(function, inputs, options);
    if (!result.ok) return result;
    worst.worst_error = std::max(worst.worst_error, result.worst_error);
  }
  return worst;
}

}  // namespace milgrad
