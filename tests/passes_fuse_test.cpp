// The passes that know operations: algebra, transposes, alike, cross_entropy, updates, dense. What
// becomes one operation, what must not, and that the numbers stay.
#include "autograd/grad.h"
#include "autograd/passes/pass.h"
#include "autograd/program.h"
#include "autograd/trace.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "tensor/apply.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tensor/variable.h"
#include "tests/graph_support.h"
#include "tests/registry/sample_tensors.h"
#include "tests/values.h"

#include <algorithm>

#include <doctest/doctest.h>

using namespace milgrad;
using milgrad::test::largest_difference;

namespace {

Tensor noisy(const Shape& shape, std::uint64_t seed) {
  return cast(test::noisy(shape, seed), DType::float64);
}

int count(const Graph& graph, Op op) {
  return static_cast<int>(
      std::count_if(graph.operations.begin(), graph.operations.end(),
                    [&](const Graph::Operation& operation) { return operation.op == op; }));
}

/// The graph after the named passes (with those that tidy up), checked to give f's results.
Graph rewritten(const TensorFunction& f, const Tensors& arguments, std::set<std::string> passes,
                double tolerance = 1e-12) {
  passes.insert({"shapes", "views", "constants", "common", "dead_code"});
  Graph graph = trace(f, specs_of(arguments));
  run_passes(graph, PassOptions::only(passes));
  milgrad::test::check_gives_the_same(graph, f, arguments, tolerance);
  return graph;
}

/// Two layers with an L2 penalty, their gradients and a step of the optimizer; gives the loss.
struct Trained {
  Variable w1{noisy({6, 5}, 1)}, b1{noisy({5}, 2)}, w2{noisy({5, 3}, 3)};
  std::shared_ptr<nn::Optimizer> optimizer;
  bool read_after = false;

  explicit Trained(std::shared_ptr<nn::Optimizer> given) : optimizer(std::move(given)) {
    optimizer->build({w1, b1, w2});
  }
  Tensors step(const Tensors& in) {
    const Tensor h = tanh(linear(in[0], w1, b1));
    const Tensor loss = sum(square(linear(h, w2))) + sum(square(w1.value())) * 0.1;
    optimizer->apply(grad(Tensors{loss}, Tensors{w1, b1, w2}));
    return {loss.stop_gradient()};
  }
  Tensors weights() const { return {copy(w1), copy(b1), copy(w2)}; }
};

/// The same steps by a program with these passes and one by one; the program's graph.
Graph trained_alike(const std::function<std::shared_ptr<nn::Optimizer>()>& optimizer,
                    std::set<std::string> passes, Dim rows = 4) {
  passes.insert({"shapes", "views", "constants", "algebra", "common", "dead_code"});
  Trained ours(optimizer()), theirs(optimizer());
  const Tensor x = noisy({rows, 6}, 4);
  Program program(trace([&](const Tensors& in) { return ours.step(in); }, {x.spec()}),
                  {.passes = PassOptions::only(passes)});
  for (int i = 0; i < 3; ++i) {
    const Tensor expected = theirs.step({x})[0], actual = program({x})[0];
    CHECK(actual.item() == doctest::Approx(expected.item()).epsilon(1e-12));
  }
  const Tensors a = ours.weights(), b = theirs.weights();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(largest_difference(a[i], b[i]) <= 1e-12);
  return program.graph();
}

std::shared_ptr<nn::Optimizer> adam() { return nn::Adam({.learning_rate = 0.01}); }
std::shared_ptr<nn::Optimizer> momentum() {
  return nn::SGD({.learning_rate = 0.01, .momentum = 0.9});
}

}  // namespace

TEST_CASE("algebra: factors of one and factors of factors") {
  const Graph graph =
      rewritten([](const Tensors& x) { return Tensors{(x[0] * 1.0 / 1.0) * 2.0 * 3.0}; },
                {noisy({4}, 1)}, {"algebra"});
  CHECK(graph.operations.size() == 1);
}

TEST_CASE("algebra: the copy of a variable that changes afterwards stays a copy") {
  const Variable total(scalar(1, DType::float64), {.trainable = false});
  Program program(trace(
      [&](const Tensors& x) {
        const Tensor before = total.value() * 1.0;
        total.assign(total.value() + x[0]);
        return Tensors{before, before + total.value()};
      },
      {{Shape{}, DType::float64}}));
  const Tensors results = program({scalar(4, DType::float64)});
  CHECK(results[0].item() == 1);
  CHECK(results[1].item() == 6);
}

TEST_CASE("algebra: a broadcast that the next operation does itself, sums over one element") {
  const Graph graph = rewritten(
      [](const Tensors& x) {
        return Tensors{broadcast_like(x[1], x[0]) * x[0], sum(x[1], {0}, false)};
      },
      {noisy({3, 4}, 1), noisy({1, 4}, 2)}, {"algebra"});
  CHECK(count(graph, Op::broadcast_like) == 0);
  CHECK(count(graph, Op::sum) == 0);
}

TEST_CASE("transposes: of either operand, batched, twice") {
  const Graph graph = rewritten(
      [](const Tensors& x) {
        return Tensors{
            matmul(transpose(x[0], {0, 2, 1}), transpose(transpose(x[1], {0, 2, 1}), {0, 2, 1}))};
      },
      {noisy({2, 4, 3}, 1), noisy({2, 4, 5}, 2)}, {"transposes"});
  CHECK(graph.operations.size() == 1);
  CHECK(std::get<MatmulAttrs>(graph.operations[0].attrs) == MatmulAttrs{.transpose_a = true});
}

TEST_CASE("transposes: of leading axes stay") {
  const Graph graph = rewritten(
      [](const Tensors& x) {
        return Tensors{matmul(transpose(x[0], {1, 0, 2}), x[1])};
      },
      {noisy({2, 3, 4}, 1), noisy({3, 4, 5}, 2)}, {"transposes"});
  CHECK(count(graph, Op::transpose) == 1);
}

TEST_CASE("alike: a layer on several inputs is one product, its weight gradient another") {
  const TensorFunction f = [](const Tensors& x) {
    const Tensor w = requires_grad(x[3]), b = requires_grad(x[4]);
    Tensors parts;
    for (int i = 0; i < 3; ++i) parts.push_back(tanh(linear(x[static_cast<std::size_t>(i)], w, b)));
    const Tensor joined = concat(parts, 1);
    Tensors results = grad(Tensors{sum(square(joined))}, Tensors{w, b});
    results.push_back(joined.stop_gradient());
    return results;
  };
  const Graph graph = rewritten(
      f, {noisy({1, 4}, 1), noisy({1, 4}, 2), noisy({1, 4}, 3), noisy({4, 5}, 4), noisy({5}, 5)},
      {"alike", "algebra"});
  CHECK(count(graph, Op::linear) == 1);
  CHECK(count(graph, Op::tanh) == 1);
  CHECK(count(graph, Op::concat) == 0);
  CHECK(count(graph, Op::matmul) == 1);
}

TEST_CASE("alike: a layer on its own result, many rows and other operands stay apart") {
  const Graph chained =
      rewritten([](const Tensors& x) { return Tensors{linear(linear(x[0], x[1]), x[1])}; },
                {noisy({2, 4}, 1), noisy({4, 4}, 2)}, {"alike"});
  CHECK(count(chained, Op::linear) == 2);
  const Graph large = rewritten(
      [](const Tensors& x) {
        return Tensors{linear(x[0], x[2]), linear(x[1], x[2])};
      },
      {noisy({40, 4}, 1), noisy({40, 4}, 2), noisy({4, 4}, 3)}, {"alike"});
  CHECK(count(large, Op::linear) == 2);
  const Graph different = rewritten(
      [](const Tensors& x) {
        const Tensors parts = unstack(x[0], 0);
        return Tensors{exp(parts[0]), tanh(parts[1])};
      },
      {noisy({2, 4}, 1)}, {"alike"});
  CHECK(count(different, Op::exp) == 1);
  CHECK(count(different, Op::tanh) == 1);
}

TEST_CASE("cross_entropy: softmax and Keras's loss, forward and backward") {
  const TensorFunction f = [](const Tensors& x) {
    const Tensor z = requires_grad(x[0]);
    const Tensor p = softmax(z, 1);
    const Tensor loss = nn::SparseCategoricalCrossentropy()(x[1], p, x[2]);
    Tensors results = grad(Tensors{loss}, Tensors{z});
    results.push_back(loss.stop_gradient());
    results.push_back(p.stop_gradient());
    return results;
  };
  // One row so sure that the clip stops its gradient.
  const Tensor logits =
      concat({noisy({3, 4}, 1), tensor<double>(std::vector<double>{40, 0, 0, 0}, {1, 4})}, 0);
  const Graph graph = rewritten(
      [&](const Tensors& x) {
        return f({x[0], tensor(std::vector<std::int64_t>{0, 3, 1, 0}, {4}), x[1]});
      },
      {logits, tensor<double>(std::vector<double>{1, 2, 0.5, 1}, {4})}, {"cross_entropy"});
  CHECK(count(graph, Op::clipped_softmax_cross_entropy) == 1);
  CHECK(count(graph, Op::clipped_softmax_cross_entropy_gradient) == 1);
  CHECK(count(graph, Op::softmax) == 0);
  CHECK(count(graph, Op::log) == 0);
}

TEST_CASE("cross_entropy: the same operations without the division are left alone") {
  const Graph graph = rewritten(
      [](const Tensors& x) {
        const Tensor p = softmax(x[0], 1);
        return Tensors{neg(sum(x[1] * log(clip(p, 1e-7, 1 - 1e-7)), {1}))};
      },
      {noisy({3, 4}, 1), noisy({3, 4}, 2)}, {"cross_entropy"});
  CHECK(count(graph, Op::clipped_softmax_cross_entropy) == 0);
}

TEST_CASE("updates: both layers in one pass each, with penalty, bias and the next gradient") {
  const Graph with_adam = trained_alike(adam, {"updates"});
  CHECK(count(with_adam, Op::adam_dense_update) == 2);
  CHECK(count(with_adam, Op::adam_update) == 0);
  CHECK(count(with_adam, Op::square) == 2);  // of outputs and tanh; that of the penalty is fused
  const Graph with_momentum = trained_alike(momentum, {"updates"});
  CHECK(count(with_momentum, Op::sgd_dense_update) == 2);
  CHECK(count(with_momentum, Op::sgd_update) == 0);
}

TEST_CASE("updates: many rows keep their products") {
  CHECK(count(trained_alike(adam, {"updates"}, 40), Op::adam_dense_update) == 0);
}

TEST_CASE("updates: a gradient that is read elsewhere, as for clipping by its norm, stays") {
  const Variable w(noisy({6, 5}, 1));
  const auto optimizer = adam();
  optimizer->build({w});
  const Tensor x = noisy({4, 6}, 2);
  Graph graph = trace(
      [&](const Tensors& in) {
        const Tensor g = grad(Tensors{sum(square(linear(in[0], w)))}, Tensors{w})[0];
        optimizer->apply({g * (1.0 / sqrt(sum(square(g))))});
        return Tensors{};
      },
      {x.spec()});
  run_passes(graph, {});
  CHECK(count(graph, Op::adam_dense_update) == 0);
  CHECK(count(graph, Op::adam_update) == 1);
}

TEST_CASE("updates: weights used twice are left to the optimizer") {
  const Variable w(noisy({5, 5}, 1));
  const auto optimizer = adam();
  optimizer->build({w});
  const Tensor x = noisy({4, 5}, 2);
  Graph graph = trace(
      [&](const Tensors& in) {
        const Tensor loss = sum(square(linear(tanh(linear(in[0], w)), w)));
        optimizer->apply(grad(Tensors{loss}, Tensors{w}));
        return Tensors{loss.stop_gradient()};
      },
      {x.spec()});
  run_passes(graph, {});
  CHECK(count(graph, Op::adam_dense_update) == 0);
}

TEST_CASE("dense: product, bias and activation; several on one input") {
  const TensorFunction f = [](const Tensors& x) {
    return Tensors{relu(linear(x[0], x[1], x[2])), sigmoid(linear(x[0], x[3])),
                   linear(x[0], x[3], x[2])};
  };
  const Tensors arguments{noisy({3, 4}, 1), noisy({4, 5}, 2), noisy({5}, 3), noisy({4, 5}, 4)};
  const Graph apart = rewritten(f, arguments, {"dense"});
  CHECK(count(apart, Op::dense) == 3);
  CHECK(apart.operations.size() == 3);
  const Graph together = rewritten(f, arguments, {"dense", "dense_on_one_input"});
  CHECK(count(together, Op::multi_dense) == 1);
  CHECK(together.operations.size() == 1);
}

TEST_CASE("dense: a product that is read twice keeps its activation apart") {
  const Graph graph = rewritten(
      [](const Tensors& x) {
        const Tensor z = linear(x[0], x[1]);
        return Tensors{relu(z), z};
      },
      {noisy({3, 4}, 1), noisy({4, 5}, 2)}, {"dense"});
  CHECK(count(graph, Op::relu) == 1);
}

TEST_CASE("passes: names, the environment's form, and unknown ones") {
  CHECK(PassOptions::none().off.size() == all_passes().size());
  CHECK(PassOptions::only({"chains"}).off.size() + 1 == all_passes().size());
  CHECK_THROWS_WITH_AS(PassOptions::only({"chain"}), "[passes] there is no pass \"chain\"",
                       ValueError);
  Graph graph;
  CHECK_THROWS_WITH_AS(run_passes(graph, {.off = {"fusion"}}),
                       "[passes] there is no pass \"fusion\"", ValueError);
}
