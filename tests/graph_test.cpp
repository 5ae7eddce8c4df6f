// Graphs as data: what they print, the order that values and variables ask for, and what a tracer
// refuses.
#include "autograd/grad.h"
#include "autograd/graph_index.h"
#include "autograd/trace.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/variable.h"
#include "tests/graph_support.h"
#include "tests/support.h"
#include "tests/values.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

const Spec kPair{{2}, DType::float32};
const Spec kSquare{{2, 2}, DType::float32};

std::vector<int> before(const GraphIndex& index, int operation) {
  const auto list = index.predecessors(operation);
  return {list.begin(), list.end()};
}

/// A graph with every kind of value: an input, a variable, a constant, and one of which only the
/// shape is read.
Graph small_graph(const Variable& w) {
  const auto f = [&](const Tensors& x) {
    const NameScope scope("dense \"1\"");
    const Tensor y = mul(x[0], w);
    return Tensors{broadcast_like(scalar(2), w), sum(y)};
  };
  Graph graph = trace(f, {kPair});
  graph.operations[1].inputs[1] = graph.add_constant(Tensor::abstract(kPair));
  return graph;
}

}  // namespace

TEST_CASE("graph: text and drawing name every operation and where values come from") {
  const Variable w(ones({2}));
  const Graph graph = small_graph(w);
  CHECK(graph.to_string() ==
        "%0 = input  float32 (2,)\n"
        "%1 = variable  float32 (2,)\n"
        "%3 = constant  float32 ()\n"
        "%6 = shape  float32 (2,)\n"
        "%2 = mul(%0, %1)  float32 (2,)  # dense \"1\"\n"
        "%4 = broadcast_like(%3, %6)  float32 (2,)  # dense \"1\"\n"
        "%5 = sum(%2) axes=(0,), keep_dims=false  float32 ()  # dense \"1\"\n"
        "return %4, %5\n");
  CHECK(graph.to_dot() ==
        "digraph {\n"
        "  node [shape=box]\n"
        "  v0 [label=\"input float32 (2,)\" shape=ellipse]\n"
        "  v1 [label=\"variable float32 (2,)\" shape=ellipse]\n"
        "  v3 [label=\"constant float32 ()\" shape=ellipse]\n"
        "  v6 [label=\"shape float32 (2,)\" shape=ellipse]\n"
        "  n0 [label=\"mul\"]\n"
        "  v0 -> n0 [label=\"(2,)\"]\n"
        "  v1 -> n0 [label=\"(2,)\"]\n"
        "  n1 [label=\"broadcast_like\"]\n"
        "  v3 -> n1 [label=\"()\"]\n"
        "  v6 -> n1 [label=\"(2,)\"]\n"
        "  n2 [label=\"sum axes=(0,), keep_dims=false\"]\n"
        "  n0 -> n2 [label=\"(2,)\"]\n"
        "  out0 [label=\"output 0\" shape=ellipse]\n"
        "  n1 -> out0\n"
        "  out1 [label=\"output 1\" shape=ellipse]\n"
        "  n2 -> out1\n"
        "}\n");
}

TEST_CASE("graph: Graphviz reads the drawing") {
  if (test::run({"sh", "-c", "command -v dot"}).exit_code != 0)
    test::skip("dot (Graphviz) is not installed");
  const test::TemporaryDirectory folder;
  test::write_file(folder / "graph.dot", small_graph(Variable(ones({2}))).to_dot());
  const test::Outcome outcome = test::run({"dot", "-Tsvg", (folder / "graph.dot").string()});
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err == "");
  CHECK(outcome.out.find("broadcast_like") != std::string::npos);
}

TEST_CASE("graph index: who makes and who reads a value") {
  const Graph graph = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]);
        return Tensors{e * e, reshape(e, {2, 1})};
      },
      {kPair});
  const GraphIndex index(graph);
  const Value x = graph.inputs[0], e = graph.operations[0].outputs[0];
  CHECK(index.producer(x) == -1);
  CHECK(index.producer(e) == 0);
  CHECK(index.produced_by(e, Op::exp) == &graph.operations[0]);
  CHECK(index.produced_by(e, Op::mul) == nullptr);
  CHECK(index.has_one_use(x));
  CHECK(index.uses(e).size() == 3);
  CHECK_FALSE(index.has_one_use(e));
  CHECK(index.is_output(graph.operations[2].outputs[0]));
  CHECK_FALSE(index.has_one_use(graph.outputs[0]));
  CHECK(index.root(graph.outputs[1]) == e);
  CHECK(index.root(graph.outputs[0]) == graph.outputs[0]);
}

TEST_CASE(
    "graph index: readers of a variable come before its writer, which comes before the next") {
  const Variable w(ones({2}));
  const Graph graph = trace(
      [&](const Tensors& x) {
        const Tensor a = neg(w);  // 0
        w.assign(x[0]);           // 1
        const Tensor b = exp(w);  // 2
        w.assign(b);              // 3
        return Tensors{a, sin(w)};
      },
      {kPair});
  const GraphIndex index(graph);
  CHECK(before(index, 0) == std::vector<int>{});
  CHECK(before(index, 1) == std::vector<int>{0});
  CHECK(before(index, 2) == std::vector<int>{1});
  CHECK(before(index, 3) == std::vector<int>{1, 2});
  CHECK(before(index, 4) == std::vector<int>{3});
  for (const std::vector<int>& pair : {std::vector{0, 2}, std::vector{0, 4}, std::vector{2, 4}})
    CHECK_FALSE(index.can_fuse(pair));
  CHECK(index.can_fuse(std::vector{0, 1}));
  CHECK(index.can_fuse(std::vector{0, 1, 2, 3, 4}));
}

TEST_CASE("graph index: a view of a variable reads it, a copied part does not") {
  const Variable w(ones({2, 2}));
  const Graph views = trace(
      [&](const Tensors& x) {
        const Tensor row = slice(w, {.axis = 0, .start = 1});  // 0, a view
        const Tensor a = neg(row);                             // 1
        w.assign(x[0]);                                        // 2
        return Tensors{a};
      },
      {kSquare});
  CHECK(before(GraphIndex(views), 2) == std::vector<int>{0, 1});

  Graph copies = trace(
      [&](const Tensors& x) {
        const Tensor column = slice(w, {.axis = 1, .start = 1});  // 0, a copy
        w.assign(x[0]);                                           // 1
        return Tensors{column * w};                               // 2
      },
      {kSquare});
  const GraphIndex index(copies);
  CHECK(before(index, 1) == std::vector<int>{0});
  CHECK(before(index, 2) == std::vector<int>{0, 1});
  const std::string text = copies.to_string();
  rewrite(copies, {}, {});
  CHECK(copies.to_string() == text);
}

TEST_CASE("graph index: operations fuse unless a path leaves them and comes back") {
  const Graph graph = trace(
      [](const Tensors& x) {
        const Tensor a = exp(x[0]);  // 0
        const Tensor b = sin(a);     // 1
        const Tensor c = cos(a);     // 2
        return Tensors{b * c};       // 3
      },
      {kPair});
  const GraphIndex index(graph);
  CHECK(index.can_fuse(std::vector{0, 1}));
  CHECK(index.can_fuse(std::vector{1, 2}));
  CHECK(index.can_fuse(std::vector{0, 1, 2, 3}));
  CHECK_FALSE(index.can_fuse(std::vector{0, 3}));
  CHECK_FALSE(index.can_fuse(std::vector{0, 1, 3}));
}

TEST_CASE("graph: rewriting moves operations only as far as values and variables ask for") {
  const Variable w(ones({2}));
  Graph graph = trace(
      [&](const Tensors& x) {
        const Tensor a = exp(w);     // 0
        const Tensor b = sin(x[0]);  // 1
        w.assign(b);                 // 2
        const Tensor c = cos(x[0]);  // 3
        return Tensors{a * c, neg(w), b};
      },
      {kPair});
  // The reader of the old value comes last in the list, and has to come back before the assignment.
  const Graph::Operation moved = graph.operations[0];
  graph.operations.erase(graph.operations.begin());
  rewrite(graph, std::vector<int>{}, {moved});
  CHECK(test::operation_names(graph) == test::Names{"sin", "cos", "exp", "assign", "mul", "neg"});
  const Tensors results = graph.run({zeros({2})});
  test::check_values(results[0], {2}, {std::exp(1.0f), std::exp(1.0f)}, 1e-7);
  test::check_values(results[1], {2}, {0, 0});
}

TEST_CASE("graph: a rewriting that would wait for itself is an error") {
  Graph graph = trace([](const Tensors& x) { return Tensors{sin(exp(x[0]))}; }, {kPair});
  graph.operations[0].inputs[0] = graph.outputs[0];
  CHECK_THROWS_WITH_AS(rewrite(graph, {}, {}),
                       "[graph] a pass made operations that wait for each other", Error);
}

TEST_CASE("graph: dead operations go, with externals that only they read; effects stay") {
  const Variable w(ones({2})), unread(ones({2}));
  Graph graph = trace(
      [&](const Tensors& x) {
        const Tensor dead = exp(unread * x[0]);
        w.assign(sin(x[0]));
        return Tensors{cos(x[0])};
      },
      {kPair});
  CHECK(remove_dead(graph) == 2);
  CHECK(test::operation_names(graph) == test::Names{"sin", "assign", "cos"});
  CHECK(graph.externals.size() == 1);
  CHECK(remove_dead(graph) == 0);
}

TEST_CASE("trace: a view of a variable cannot be read once the variable is overwritten") {
  const Variable w(ones({2}));
  const auto read = [&](const Tensors& x) {
    Tensor view;
    {
      const NameScope scope("encoder");
      view = reshape(reshape(w, {2, 1}), {1, 2});
    }
    const Tensor good = neg(view);
    w.assign(x[0]);
    return Tensors{good, exp(view)};
  };
  CHECK_THROWS_WITH_AS(trace(read, {kPair}),
                       "[exp] a view of a variable is read after the variable was overwritten: "
                       "float32 (1, 2) (reshape, node 1, layer encoder)",
                       TraceError);
  try {
    trace(read, {kPair});
  } catch (const Error& error) {
    CHECK(error.hint() == "copy() the view before, or take it again from the variable afterwards");
  }
  const auto returned = [&](const Tensors& x) {
    const Tensor view = reshape(w, {2, 1});
    w.assign(x[0]);
    return Tensors{view};
  };
  CHECK_THROWS_AS(trace(returned, {kPair}), TraceError);
}

TEST_CASE("trace: copies, shapes and new views of an overwritten variable can be read") {
  const Variable w(tensor({1.0f, 2.0f}));
  const auto f = [&](const Tensors& x) {
    const Tensor view = reshape(w, {2, 1}), kept = copy(view);
    w.assign(x[0]);
    return Tensors{neg(kept), neg(reshape(w, {2, 1})), broadcast_like(scalar(3), view)};
  };
  const Tensors results = trace(f, {kPair}).run({tensor({5.0f, 6.0f})});
  test::check_values(results[0], {2, 1}, {-1, -2});
  test::check_values(results[1], {2, 1}, {-5, -6});
  test::check_values(results[2], {2, 1}, {3, 3});
}

TEST_CASE("trace: a gradient through an overwritten variable is the error that it is eagerly") {
  const Variable w(scalar(2));
  const auto late = [&](const Tensors& x) {
    const Tensor y = w * w;
    w.assign(x[0]);
    return Tensors{grad(y, w)};
  };
  const char* message =
      "[mul] a value float32 () that its gradient needs was overwritten after the forward pass";
  CHECK_THROWS_WITH_AS(late({scalar(5)}), message, GradientError);
  CHECK_THROWS_WITH_AS(trace(late, {{{}, DType::float32}}), message, GradientError);
  const auto in_time = [&](const Tensors& x) {
    w.assign(x[0]);
    return Tensors{grad(w * w, w)};
  };
  CHECK(trace(in_time, {{{}, DType::float32}}).run({scalar(5)})[0].item() == 10);
}

}  // namespace milgrad
