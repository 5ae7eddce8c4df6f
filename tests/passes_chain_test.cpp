// The pass chains: what becomes one operation, what must not, and that the numbers stay.
#include "autograd/grad.h"
#include "autograd/passes/pass.h"
#include "autograd/program.h"
#include "autograd/trace.h"
#include "tensor/apply.h"
#include "tensor/chain.h"
#include "tensor/operators.h"
#include "tensor/variable.h"
#include "tests/graph_support.h"
#include "tests/registry/sample_tensors.h"
#include "tests/values.h"

#include <map>
#include <random>

#include <doctest/doctest.h>

using namespace milgrad;
using milgrad::test::largest_difference;
using milgrad::test::Names;
using milgrad::test::noisy;
using milgrad::test::operation_names;

namespace {

Graph chained(const TensorFunction& f, const std::vector<Spec>& specs) {
  Graph graph = trace(f, specs);
  run_passes(graph,
             PassOptions::only({"shapes", "views", "constants", "common", "dead_code", "chains"}));
  return graph;
}

const Chain& chain_at(const Graph& graph, std::size_t operation) {
  return *std::get<ChainAttrs>(graph.operations[operation].attrs).chain;
}

/// Runs both graphs and compares; returns the rewritten one.
Graph check_same(const TensorFunction& f, const Tensors& arguments, double tolerance = 0) {
  Graph graph = chained(f, specs_of(arguments));
  milgrad::test::check_gives_the_same(graph, f, arguments, tolerance);
  return graph;
}

}  // namespace

TEST_CASE("chains: gating by tanh and sigmoid is one operation") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        const Tensor v = tanh(x[0]), u = sigmoid(x[1]);
        return Tensors{v * u * x[2]};
      },
      {noisy({5, 7}, 1), noisy({5, 7}, 2), noisy({7}, 3)});
  CHECK(operation_names(graph) == Names{"chain"});
  CHECK(chain_at(graph, 0).to_string() ==
        "t0 = tanh(x0); t1 = sigmoid(x1); t2 = mul(t0, t1); t3 = mul(t2, x2); return t3");
}

TEST_CASE("chains: a value that is read elsewhere becomes a result") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        const Tensor y = exp(x[0]) + 1;
        return Tensors{softmax(y, 1), square(y) - x[0]};
      },
      {noisy({3, 4}, 1)});
  CHECK(operation_names(graph) == Names{"chain", "softmax"});
  CHECK(chain_at(graph, 0).parts().results.size() == 2);
}

TEST_CASE("chains: what only the backward pass reads is computed there") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        const Tensor leaf = requires_grad(x[0]);
        const Tensor y = tanh(leaf);
        const Tensor z = matmul(y, x[1]);
        return Tensors{grad(sum(square(z)), leaf)};
      },
      {noisy({3, 4}, 1), noisy({4, 5}, 2)});
  CAPTURE(graph.to_string());
  CHECK(operation_names(graph) == Names{"tanh", "matmul", "chain", "matmul", "chain"});
  CHECK(graph.operations.back().inputs.size() == 3);
}

TEST_CASE("chains: a path that leaves and comes back is not closed to a circle") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        const Tensor y = exp(x[0]);
        return Tensors{y * softmax(y, 1) + x[0]};
      },
      {noisy({3, 4}, 1)});
  CHECK(operation_names(graph) == Names{"exp", "softmax", "chain"});
  // Each pair alone would be legal; both together wait for each other.
  const Graph crossed = check_same(
      [](const Tensors& x) {
        const Tensor a = exp(x[0]), b = tanh(x[1]);
        const Tensor soft_a = softmax(a, 1), soft_b = softmax(b, 1);
        return Tensors{a - soft_b, b - soft_a};
      },
      {noisy({3, 40}, 1), noisy({3, 40}, 2)});
  CHECK(crossed.operations.size() >= 4);
}

TEST_CASE("chains: a variable is read before and after its assignment as it was then") {
  const Variable v(noisy({6}, 1));
  const TensorFunction f = [&](const Tensors& x) {
    const Tensor before = v.value() * 2;
    v.assign(x[0]);
    return Tensors{before + v.value()};
  };
  const Tensor x = noisy({6}, 2);
  const Graph graph = chained(f, {x.spec()});
  CHECK(operation_names(graph) == Names{"mul", "assign", "add"});
  const Tensor start = noisy({6}, 1);
  CHECK(largest_difference(graph.run({x})[0], start * 2 + x) == 0);
  const TensorFunction apart = [&](const Tensors& y) {
    const Tensor before = v.value() * 2 + y[0];
    v.assign(y[0]);
    return Tensors{before};
  };
  CHECK(operation_names(chained(apart, {x.spec()})) == Names{"chain", "assign"});
}

TEST_CASE("chains: sums of rows, columns and everything end a chain") {
  const auto error = [](const Tensors& x) { return square(x[0] - x[1]); };
  const Tensors arguments = {noisy({6, 9}, 1), noisy({6, 9}, 2)};
  for (const Axes& axes : {Axes{0}, Axes{1}, Axes{0, 1}}) {
    const Graph graph =
        check_same([&](const Tensors& x) { return Tensors{sum(error(x), axes)}; }, arguments, 1e-6);
    CHECK(operation_names(graph) == Names{"chain"});
    CHECK(chain_at(graph, 0).parts().results == std::vector<ChainResult>{{3, true}});
  }
  const Graph middle = check_same(
      [&](const Tensors& x) {
        return Tensors{sum(reshape(error(x), {2, 3, 9}), {1})};
      },
      arguments);
  CHECK(operation_names(middle) == Names{"chain", "reshape", "sum"});
  // The mean of squares and its gradient: the sum is finished before anything depends on it.
  const Graph both = check_same(
      [&](const Tensors& x) {
        const Tensor leaf = requires_grad(x[0]);
        const Tensor loss = mean(square(leaf - x[1]));
        return Tensors{loss, grad(loss, leaf), x[0] / loss};
      },
      arguments, 1e-6);
  CAPTURE(both.to_string());
  CHECK(both.operations.size() <= 3);
}

TEST_CASE("chains: broadcasts are read where they come from") {
  const Tensors arguments = {noisy({4, 8}, 1), noisy({8}, 2), noisy({4, 1}, 3), noisy({}, 4)};
  const Graph graph = check_same(
      [](const Tensors& x) {
        const Tensor row = broadcast_like(x[1], x[0]);
        return Tensors{relu(x[0] * row + x[2]) * broadcast_to(x[3], {4, 8})};
      },
      arguments);
  CHECK(operation_names(graph) == Names{"chain"});
  // Of two small operands the broadcast makes the shape; it stays.
  const Graph needed = check_same(
      [](const Tensors& x) { return Tensors{broadcast_like(x[1], x[0]) * x[3]}; }, arguments);
  CHECK(operation_names(needed) == Names{"broadcast_like", "mul"});
}

TEST_CASE("chains: dtypes and shapes are not mixed, bools and casts of inputs are") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        const Tensor y = cast(x[0], DType::float32) / 255;
        const Tensor mask = greater(y, x[1]);
        return Tensors{where(mask, y, x[1]), cast(logical_not(mask), DType::float32)};
      },
      {tensor<std::uint8_t>({0, 3, 200, 255}), noisy({4}, 2)});
  CHECK(operation_names(graph) == Names{"chain"});
  const Graph wide = check_same(
      [](const Tensors& x) {
        return Tensors{square(cast(exp(x[0]), DType::float64)), equal(x[1], x[1] * 2)};
      },
      {noisy({70}, 1), tensor(std::vector<std::int64_t>(70, 3), {70})});
  CHECK(operation_names(wide) == Names{"exp", "chain", "mul", "equal"});
}

TEST_CASE("chains: tiny operations that have nothing to do with each other share one") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        return Tensors{x[0] * 2 + 1, exp(x[1]) - 3, sqrt(square(x[2]))};
      },
      {noisy({}, 1), noisy({}, 2), noisy({}, 3)});
  CHECK(operation_names(graph) == Names{"chain"});
}

TEST_CASE("chains: a symbolic leading size") {
  const Dim n = symbolic_dim(1);
  const TensorFunction f = [](const Tensors& x) {
    const Tensor y = tanh(x[0] + x[1]);
    return Tensors{sum(y * x[0], {1}), sum_to_like(y, x[1])};
  };
  const Graph graph = chained(f, {{Shape{n, 3}, DType::float32}, {Shape{3}, DType::float32}});
  CAPTURE(graph.to_string());
  CHECK(graph.operations.size() <= 2);
  for (Dim size : {1, 4, 300}) {
    const Tensors arguments = {noisy({size, 3}, 1), noisy({3}, 2)};
    const Tensors expected = f(arguments), actual = graph.run(arguments);
    for (std::size_t i = 0; i < 2; ++i) CHECK(largest_difference(actual[i], expected[i]) <= 1e-6);
  }
}

TEST_CASE("chains: the layer that a chain belongs to is the innermost that holds its parts") {
  Graph graph = trace([](const Tensors& x) { return Tensors{exp(tanh(x[0]) + 1)}; },
                      {{Shape{3}, DType::float32}});
  REQUIRE(graph.operations.size() == 3);
  const auto scope = [&](const std::vector<std::string>& scopes) {
    Graph scoped = graph;
    for (std::size_t i = 0; i < scopes.size(); ++i) scoped.operations[i].scope = scopes[i];
    passes::chains(scoped);
    return scoped.operations.at(0).scope;
  };
  CHECK(scope({"model/dense", "model/dense", "model/dense"}) == "model/dense");
  CHECK(scope({"model/dense_1", "model/dense_2", "model/dense"}) == "model");
  CHECK(scope({"model/dense/gate", "model/dense", "model/dense/gate"}) == "model/dense");
  CHECK(scope({"model/dense", "", "model/dense"}) == "");
}

TEST_CASE("chains: limits are kept") {
  const Graph graph = check_same(
      [](const Tensors& x) {
        Tensor y = x[0];
        for (int i = 0; i < 200; ++i) y = y * x[static_cast<std::size_t>(i % 40)] + 0.5;
        return Tensors{y};
      },
      [] {
        Tensors arguments;
        for (std::uint64_t i = 0; i < 40; ++i) arguments.push_back(noisy({100}, i));
        return arguments;
      }());
  for (const Graph::Operation& operation : graph.operations) {
    CHECK(operation.op == Op::chain);
    CHECK(operation.inputs.size() <= Chain::kMaxInputs);
  }
}

TEST_CASE("chains: random functions keep their numbers, alone and as programs") {
  for (unsigned seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    const TensorFunction f = [seed](const Tensors& x) {
      std::mt19937 random(seed);
      Tensors known = x;
      const auto pick = [&] { return known[random() % known.size()]; };
      const auto full = [&] { return pick() + x[0] * 0; };
      for (int i = 0; i < 14; ++i) {
        switch (random() % 9) {
          case 0:
            known.push_back(tanh(pick()));
            break;
          case 1:
            known.push_back(softmax(full(), 1));
            break;
          case 2:
            known.push_back(where(greater(pick(), pick()), pick(), pick()));
            break;
          case 3:
            known.push_back(sum(full(), {1}, true));
            break;
          case 4:
            known.push_back(sum(full(), {0}) * 0.1);
            break;
          case 5:
            known.push_back(sum_to_like(full(), x[2]) * 0.01);
            break;
          default:
            known.push_back(random() % 2 == 0 ? pick() * pick() : pick() - sigmoid(pick()));
        }
      }
      return Tensors{known.back(), known[known.size() - 3], known[known.size() / 2]};
    };
    const Tensors arguments = {noisy({6, 5}, seed + 1), noisy({6, 5}, seed + 2),
                               noisy({}, seed + 3)};
    check_same(f, arguments, 1e-5);
    Program program(trace(f, specs_of(arguments)));
    const Tensors expected = f(arguments);
    for (int replay = 0; replay < 2; ++replay) {
      const Tensors actual = program(arguments);
      for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK(largest_difference(actual[i], expected[i]) <= 1e-5);
    }
  }
}
