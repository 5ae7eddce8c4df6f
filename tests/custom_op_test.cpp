// Operations defined by users: kernel, gradient rule or gradient of the reference, errors by name.
#include "autograd/custom_op.h"

#include "autograd/grad.h"
#include "autograd/trace.h"
#include "tensor/operators.h"

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

std::vector<Spec> infer_pair(const InferArgs& args) {
  if (args.count() != 2 || !(args.inputs[0] == args.inputs[1]))
    throw ShapeError(std::string("[") + args.op + "] expected two tensors of one shape");
  return {args.inputs[0]};
}

void cubic_kernel(const Call& call) {
  visit_floating(call.out().dtype, [&]<class T>() {
    const T *x = call.in(0).as<T>(), *y = call.in(1).as<T>();
    for (std::int64_t i = 0; i < call.out().numel; ++i)
      call.out().as<T>()[i] = x[i] * x[i] * x[i] + x[i] * y[i];
  });
}

/// x^3 + x y, with its gradient from the reference.
CustomOp cubic() {
  return {
      .name = "cubic",
      .infer = infer_pair,
      .reference =
          [](std::span<const Tensor> in) { return Tensors{in[0] * in[0] * in[0] + in[0] * in[1]}; },
      .cpu = cubic_kernel,
      .samples =
          [] {
            return std::vector<Tensors>{
                {tensor({1.0, -2.0}), tensor({0.5, 3.0})},
                {full({1, 1}, 2, DType::float64), full({1, 1}, 3, DType::float64)}};
          }};
}

}  // namespace

TEST_CASE("custom op: the gradient of a reference, of order 1 and 2") {
  const auto op = make_custom_op(cubic());
  const Tensor x = requires_grad(tensor({2.0})), y = requires_grad(tensor({5.0}));
  const Tensor z = apply_custom(op, {x, y})[0];
  CHECK(z.item() == 18);
  const Tensors first = grad({z}, {x, y}, {.create_graph = true});
  CHECK(first[0].item() == 17);  // 3 x^2 + y
  CHECK(first[1].item() == 2);
  const Tensors second = grad({first[0]}, {x, y});
  CHECK(second[0].item() == 12);  // 6 x
  CHECK(second[1].item() == 1);
}

TEST_CASE("custom op: inputs that depend on each other are counted once each") {
  const auto op = make_custom_op(cubic());
  const Tensor x = requires_grad(tensor({2.0}));
  const Tensor z = apply_custom(op, {x, x * x})[0];  // 2 x^3
  const Tensor first = grad(z, x, {.create_graph = true});
  CHECK(first.item() == 24);
  CHECK(grad(first, x).item() == 24);
}

TEST_CASE("custom op: gradcheck passes a right operation and finds a wrong one") {
  CHECK(gradcheck(make_custom_op(cubic())).ok);
  CustomOp wrong = cubic();
  wrong.vjp = [](const VjpArgs& v) { return Tensors{v.g() * v.in(1), v.g() * v.in(0)}; };
  CHECK_FALSE(gradcheck(make_custom_op(wrong)).ok);
  CustomOp other = cubic();
  other.reference = [](std::span<const Tensor> in) { return Tensors{in[0] * in[1]}; };
  CHECK(gradcheck(make_custom_op(other)).message ==
        "[cubic] output 0 differs from its reference by 1.33");
}

TEST_CASE("custom op: a trace replays it") {
  const auto op = make_custom_op(cubic());
  const Graph graph = trace([&](const Tensors& in) { return apply_custom(op, in); },
                            {{Shape{1}, DType::float64}, {Shape{1}, DType::float64}});
  CHECK(graph.run({tensor({2.0}), tensor({5.0})})[0].item() == 18);
}

TEST_CASE("custom vjp: the gradient is what backward says, of any order, eager and traced") {
  // log(1 + exp(x)), whose composed gradient is inf / inf for large x.
  const auto softplus =
      custom_vjp([](const Tensors& x) -> Tensors { return {log1p(exp(x[0]))}; },
                 [](const VjpArgs& v) -> Tensors { return {v.g() * sigmoid(v.in(0))}; });
  const Tensor x = requires_grad(tensor({-1.0, 0.5, 800.0}));
  const Tensor g = grad(sum(softplus({x})[0]), x, {.create_graph = true});
  CHECK(g.to_vector<double>() == sigmoid(x).to_vector<double>());
  CHECK(grad(sum(g), x).to_vector<double>() == (sigmoid(x) * (1 - sigmoid(x))).to_vector<double>());
  const auto f = [&](const Tensors& in) -> Tensors {
    const Tensor leaf = requires_grad(in[0]);
    return {grad(sum(softplus({leaf})[0]), leaf)};
  };
  const Tensor plain = tensor({-1.0, 0.5, 800.0});
  CHECK(trace(f, {plain.spec()}).run({plain})[0].to_vector<double>() == g.to_vector<double>());
  CHECK(gradcheck(softplus, {tensor({-1.0, 0.5, 2.0})}).ok);
}

TEST_CASE("custom vjp: several inputs, an input given back, untracked inputs, wrong rules") {
  const auto reversed = custom_vjp(
      [](const Tensors& x) -> Tensors {
        return {x[0], x[0] * x[1]};
      },
      [](const VjpArgs& v) -> Tensors {
        return {neg(v.g(0)) + v.g(1) * v.out(1), Tensor()};
      });
  const Tensor a = requires_grad(tensor({2.0})), b = requires_grad(tensor({3.0}));
  const Tensors y = reversed({a, b});
  const Tensors g = grad(Tensors{sum(y[0] + y[1])}, Tensors{a, b});
  CHECK(g[0].item() == 5);
  CHECK(g[1].item() == 0);
  CHECK(a.item() == 2);
  CHECK(!reversed({tensor({2.0}), tensor({3.0})})[0].requires_grad());

  CHECK_THROWS_WITH_AS(custom_vjp({}, {}), "[custom_vjp] got an empty function", ValueError);
  const auto short_rule = custom_vjp([](const Tensors& x) -> Tensors { return {x[0] * x[1]}; },
                                     [](const VjpArgs& v) -> Tensors { return {v.g()}; });
  CHECK_THROWS_WITH_AS(grad(sum(short_rule({a, b})[0]), a),
                       "[custom_vjp] the gradient rule gave 1 gradients for 2 inputs", ValueError);
}

TEST_CASE("custom op: errors name the operation") {
  const auto op = make_custom_op(cubic());
  CHECK_THROWS_WITH_AS(apply_custom(op, {tensor({1.0})}),
                       "[cubic] expected two tensors of one shape", ShapeError);
  CustomOp bare = cubic();
  bare.reference = nullptr;
  bare.why_not = "it is a lookup";
  const Tensor x = requires_grad(tensor({1.0}));
  const Tensor y = apply_custom(make_custom_op(bare), {x, x})[0];
  CHECK_THROWS_WITH_AS(grad(y, x), "[cubic] is not differentiable: it is a lookup", GradientError);
  CustomOp without_kernel = cubic();
  without_kernel.cpu = nullptr;
  CHECK_THROWS_WITH_AS(apply_custom(make_custom_op(without_kernel), {x, x}),
                       "[cubic] no kernel for cpu", DeviceError);
  CHECK_THROWS_WITH_AS(make_custom_op({.name = "empty"}),
                       "[custom] the operation lacks a name or a shape rule", ValueError);
}

TEST_CASE("custom op: gradients missing or of another dtype, and missing inputs, are errors") {
  const auto with_rule = [](std::function<Tensors(const VjpArgs&)> rule) {
    return make_custom_op(
        {.name = "same",
         .infer = [](const InferArgs& args) -> std::vector<Spec> {
           return {{args.shape(0), args.dtype(0)}};
         },
         .vjp = std::move(rule),
         .cpu = [](const Call& call) { *call.out().as<float>() = *call.in(0).as<float>(); }});
  };
  const Tensor x = requires_grad(scalar(2));
  const auto none = with_rule([](const VjpArgs&) { return Tensors{}; });
  CHECK_THROWS_WITH_AS(grad(apply_custom(none, {x})[0], x),
                       "[same] the gradient rule gave 0 gradients for 1 inputs", ValueError);
  const auto wide = with_rule([](const VjpArgs&) { return Tensors{scalar(1, DType::float64)}; });
  CHECK_THROWS_WITH_AS(grad(apply_custom(wide, {x})[0], x),
                       "[same] the gradient rule gave float64 for input 0, which is float32",
                       DTypeError);
  CHECK_THROWS_WITH_AS(apply_custom(wide, Tensors{}), "[same] got 0 inputs; expected at least 1",
                       ShapeError);
}
