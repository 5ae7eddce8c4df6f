// The passes that know no single operation, each by itself: what it takes out and what it leaves.
#include "autograd/passes/pass.h"
#include "autograd/trace.h"
#include "tensor/operators.h"
#include "tensor/random.h"
#include "tests/graph_support.h"
#include "tests/values.h"

#include <algorithm>
#include <cstdlib>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

const Spec kSquare{{2, 2}, DType::float32};
using test::Names;

Names names_after(const std::set<std::string>& passes, const TensorFunction& f,
                  const std::vector<Spec>& inputs) {
  Graph graph = trace(f, inputs);
  run_passes(graph, PassOptions::only(passes));
  return test::operation_names(graph);
}

/// Sets MILGRAD_PASSES while it lives.
class Environment {
 public:
  explicit Environment(const char* value) {
    const char* before = std::getenv("MILGRAD_PASSES");
    if (before != nullptr) before_ = before;
    setenv("MILGRAD_PASSES", value, 1);
  }
  ~Environment() { setenv("MILGRAD_PASSES", before_.c_str(), 1); }

 private:
  std::string before_;
};

}  // namespace

TEST_CASE("pass common: equal operations are done once, others stay") {
  const auto f = [](const Tensors& x) {
    return Tensors{exp(x[0]) + exp(x[0]), sum(x[0], {0}), sum(x[0], {1}), sum(x[0], {0})};
  };
  CHECK(names_after({"common"}, f, {kSquare}) == Names{"exp", "add", "sum", "sum"});
}

TEST_CASE("pass common: what an update separates is not equal, and two draws are two") {
  const Variable w(ones({2, 2}));
  const auto updated = [&](const Tensors& x) {
    const Tensor before = exp(w);
    w.assign(x[0]);
    return Tensors{before, exp(w)};
  };
  CHECK(names_after({"common"}, updated, {kSquare}) == Names{"exp", "assign", "exp"});
  const RandomGenerator random(1);
  const auto drawn = [&](const Tensors& x) {
    return Tensors{dropout(x[0], random.next_key(), 0.5), dropout(x[0], random.next_key(), 0.5)};
  };
  CHECK(names_after({"common", "dead_code"}, drawn, {kSquare}) ==
        Names{"next_key", "dropout", "next_key", "dropout"});
}

TEST_CASE("pass constants: what only constants enter is computed, variables are not constants") {
  const Variable w(ones({2, 2}));
  const auto f = [&](const Tensors& x) {
    const Tensor two = exp(scalar(0)) + scalar(1);
    return Tensors{x[0] * two, w * two};
  };
  CHECK(names_after({"constants"}, f, {kSquare}) == Names{"mul", "mul"});
  Graph graph = trace(f, {kSquare});
  run_passes(graph, PassOptions::only({"constants"}));
  test::check_values(graph.run({ones({2, 2})})[0], {2, 2}, {2, 2, 2, 2});
}

TEST_CASE("pass shapes: an operand of which the shape is read does not keep its computation") {
  const auto f = [](const Tensors& x) {
    const Tensor big = exp(x[0]);
    return Tensors{broadcast_like(x[1], big), broadcast_like(x[1], cos(x[0]))};
  };
  const std::vector<Spec> inputs{kSquare, {{}, DType::float32}};
  CHECK(names_after({"dead_code"}, f, inputs).size() == 4);
  CHECK(names_after({"shapes", "dead_code"}, f, inputs) ==
        Names{"broadcast_like", "broadcast_like"});
  CHECK(names_after({"shapes", "common"}, f, inputs) == Names{"broadcast_like"});
  const Dim n = symbolic_dim(1);
  CHECK(names_after({"shapes", "dead_code"}, f, {{{n, 2}, DType::float32}, inputs[1]}) ==
        Names{"broadcast_like", "broadcast_like"});
}

TEST_CASE("pass views: reshaping back and forth, full slices and parts put together vanish") {
  const auto f = [](const Tensors& x) {
    const Tensor there = reshape(x[0], {4}), back = reshape_like(there, x[0]);
    const Tensor whole = slice(x[0], {.axis = 0});
    const Tensor again = stack(unstack(x[0], 0), 0);
    return Tensors{exp(back), sin(whole), cos(again)};
  };
  CHECK(names_after({"views"}, f, {kSquare}) == Names{"exp", "sin", "cos"});
}

TEST_CASE("pass views: parts put together along another axis, or in another order, stay") {
  const auto f = [](const Tensors& x) {
    const Tensors rows = unstack(x[0], 0), columns = unstack(x[0], 1);
    return Tensors{stack(columns, 0), stack(rows, 1), stack({rows[1], rows[0]}, 0),
                   stack(columns, 1)};
  };
  Graph graph = trace(f, {kSquare});
  const Tensor x = tensor(std::vector<float>{1, 2, 3, 4}, {2, 2});
  const Tensors expected = graph.run({x});
  run_passes(graph, PassOptions::only({"views"}));
  const Tensors results = graph.run({x});
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(results[i].to_vector<float>() == expected[i].to_vector<float>());
  CHECK(graph.outputs[3] == graph.inputs[0]);
}

TEST_CASE("passes: chosen by options and by the environment; unknown names are errors") {
  CHECK(PassOptions{}.off.empty());
  CHECK(PassOptions::none().off.size() == all_passes().size());
  const PassOptions one = PassOptions::only({"common"});
  CHECK(one.off.size() == all_passes().size() - 1);
  CHECK_FALSE(one.off.contains("common"));
  const auto off = [](const char* given) {
    const Environment environment(given);
    return PassOptions::from_environment().off;
  };
  CHECK(off("").empty());
  CHECK(off("none") == PassOptions::none().off);
  CHECK(off("common,views") == PassOptions::only({"common", "views"}).off);
  CHECK(off("-common,-views") == std::set<std::string>{"common", "views"});
  CHECK_THROWS_WITH_AS(off("common,-views"), "[passes] MILGRAD_PASSES is \"common,-views\"",
                       ValueError);
  CHECK_THROWS_WITH_AS(off("commn"), "[passes] there is no pass \"commn\"", ValueError);
  Graph graph;
  CHECK_THROWS_WITH_AS(run_passes(graph, {.off = {"speed"}}), "[passes] there is no pass \"speed\"",
                       ValueError);
}

}  // namespace milgrad
