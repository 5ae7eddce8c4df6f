// An operation of your own: squareplus, a smooth rectifier without exp (Barron 2021,
// arXiv:2112.11687), computed by one kernel, checked, and used as the activation of a layer.
#include "milgrad.h"

#include <cmath>
#include <iostream>

using namespace milgrad;

namespace {

/// y = (x + sqrt(x^2 + 4)) / 2, elementwise. Views are contiguous; a kernel allocates nothing.
void squareplus_kernel(const Call& call) {
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<T>();
    T* y = call.out().as<T>();
    for (std::int64_t i = 0; i < call.out().numel; ++i)
      y[i] = (x[i] + std::sqrt(x[i] * x[i] + 4)) / 2;
  });
}

/// dy/dx = y / sqrt(x^2 + 4). A rule only calls operations, so it can be differentiated again.
Tensors squareplus_gradient(const VjpArgs& v) {
  return {v.g() * v.out() * rsqrt(square(v.in(0)) + 4)};
}

std::shared_ptr<const CustomOp> make_squareplus() {
  return make_custom_op({
      .name = "squareplus",
      .infer = [](const InferArgs& args) { return std::vector<Spec>{args.inputs[0]}; },
      .vjp = squareplus_gradient,
      .saves = saves_input(0) | saves_output(),
      .reference = [](std::span<const Tensor> in) -> Tensors {
        return {(in[0] + sqrt(square(in[0]) + 4)) / 2};
      },
      .cpu = squareplus_kernel,
      .samples =
          [] {
            return std::vector<Tensors>{{tensor({-2.0, 0.0, 3.0})}};
          },
  });
}

Tensor squareplus(const Tensor& x) {
  static const auto op = make_squareplus();
  return apply_custom(op, {x})[0];
}

}  // namespace

int main() {
  // Kernel against reference, gradient rule (orders 1 and 2) against central differences.
  const GradcheckResult check = gradcheck(make_squareplus());
  std::cout << "gradcheck " << (check.ok ? "passed" : check.message) << '\n';

  const Tensor x = requires_grad(tensor({-2.0, 0.0, 1.5}));
  const Tensor y = squareplus(x);
  std::cout << "squareplus " << y << ", gradient " << grad(sum(y), x) << '\n';

  const auto layer = nn::Dense(
      4, {.activation = nn::ActivationFunction("squareplus", squareplus), .name = "hidden"});
  const nn::SymbolicTensor input = nn::Input({3});
  nn::Model(input, layer(input)).summary({.line_length = 60});
  return check.ok ? 0 : 1;
}
