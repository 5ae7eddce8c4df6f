// Memory plans: what they share, what they must not, and that the check of a plan can fail.
#include "autograd/plan.h"

#include "autograd/trace.h"
#include "tensor/operators.h"
#include "tests/registry/plan_checks.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

const Spec kRow{{16}, DType::float32};  // as large as the arena's alignment
constexpr PlanOptions kPlain{.in_place = false, .side_by_side = false, .reuse = false};

Plan checked_plan(const Graph& graph, const PlanOptions& options = {}) {
  const Plan plan = plan_memory(graph, graph.values, options);
  for (const std::string& failure : test::check_plan(graph, graph.values, plan))
    FAIL_CHECK(failure);
  return plan;
}

Graph chain() {
  return trace([](const Tensors& x) { return Tensors{sin(cos(exp(x[0])))}; }, {kRow});
}

}  // namespace

TEST_CASE("plan: a chain runs in place, in two turns without, in a place each without sharing") {
  const Graph graph = chain();
  CHECK(checked_plan(graph).arena_bytes == 64);
  CHECK(checked_plan(graph, {.in_place = false}).arena_bytes == 128);
  CHECK(checked_plan(graph, kPlain).arena_bytes == 192);
  CHECK(checked_plan(graph).to_string() ==
        "arena 64 bytes for 192 bytes of tensors, 3 of 3 operations run");
}

TEST_CASE("plan: an operand that is read again, or is an output, is not overwritten") {
  const Graph read_again = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]), s = sin(e);
        return Tensors{s * e};
      },
      {kRow});
  CHECK(checked_plan(read_again).arena_bytes == 128);
  const Graph returned = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]);
        return Tensors{sin(e), e};
      },
      {kRow});
  CHECK(checked_plan(returned).arena_bytes == 128);
  const Graph twice = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]);
        return Tensors{e - e};
      },
      {kRow});
  CHECK(checked_plan(twice).arena_bytes == 128);
}

TEST_CASE("plan: an input, a constant and a variable are never overwritten") {
  const Graph graph = trace(
      [](const Tensors& x) {
        return Tensors{sin(x[0]), cos(ones({16}))};
      },
      {kRow});
  const Plan plan = checked_plan(graph);
  CHECK(plan.arena_bytes == 128);
  CHECK(plan.places[static_cast<std::size_t>(graph.inputs[0])].kind == Place::Kind::input);
}

TEST_CASE("plan: parts of a leading concat or stack are made side by side") {
  const auto joined = [](int axis, bool stacked) {
    return trace(
        [=](const Tensors& x) {
          const Tensors parts{exp(x[0]), sin(x[0]), cos(x[0])};
          return Tensors{neg(stacked ? stack(parts, axis) : concat(parts, axis))};
        },
        {{{4, 4}, DType::float32}});
  };
  for (bool stacked : {false, true}) {
    const Graph leading = joined(0, stacked), inner = joined(1, stacked);
    CHECK(checked_plan(leading).runs == std::vector<bool>{true, true, true, false, true});
    CHECK(checked_plan(inner).runs == std::vector<bool>{true, true, true, true, true});
    CHECK(checked_plan(leading, {.side_by_side = false}).runs[3]);
    CHECK(checked_plan(leading).arena_bytes == 192);
  }
}

TEST_CASE("plan: what cannot lie side by side is copied") {
  const Graph repeated = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]);
        return Tensors{concat({e, e})};
      },
      {kRow});
  CHECK(checked_plan(repeated).runs[1]);
  const Graph given = trace(
      [](const Tensors& x) {
        return Tensors{concat({x[0], exp(x[0])})};
      },
      {kRow});
  CHECK(checked_plan(given).runs[1]);
  const Graph in_two = trace(
      [](const Tensors& x) {
        const Tensor a = exp(x[0]), b = sin(x[0]);
        return Tensors{concat({a, b}), concat({b, a})};
      },
      {kRow});
  const Plan plan = checked_plan(in_two);
  CHECK_FALSE(plan.runs[2]);
  CHECK(plan.runs[3]);
}

TEST_CASE("plan: views have no memory of their own and keep what they look into") {
  const Graph graph = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]);
        const Tensor half = slice(e, {.axis = 0, .start = 8});
        return Tensors{sin(half), cos(x[0])};
      },
      {kRow});
  const Plan plan = checked_plan(graph);
  const auto place = [&](int operation) {
    const auto value = graph.operation(operation).outputs[0];
    return plan.places[static_cast<std::size_t>(value)];
  };
  CHECK(place(1).offset == place(0).offset + 32);
  CHECK_FALSE(plan.runs[1]);
  CHECK(plan.tensor_bytes == 64 + 32 + 64);
}

TEST_CASE("plan: a value of which only the shape is read is not computed") {
  const Graph graph =
      trace([](const Tensors& x) { return Tensors{broadcast_like(x[1], exp(x[0]))}; },
            {kRow, {{}, DType::float32}});
  const Plan plan = checked_plan(graph);
  CHECK(plan.runs == std::vector<bool>{false, true});
  CHECK(plan.arena_bytes == 64);
}

TEST_CASE("plan: the check notices a block that is free one step too early") {
  const Graph graph = trace(
      [](const Tensors& x) {
        const Tensor e = exp(x[0]), s = sum(e);
        return Tensors{e + s};
      },
      {kRow});
  Plan plan = plan_memory(graph, graph.values);
  const auto sum_place = static_cast<std::size_t>(graph.operations[1].outputs[0]);
  plan.places[sum_place].offset =
      plan.places[static_cast<std::size_t>(graph.operations[0].outputs[0])].offset;
  const auto failures = test::check_plan(graph, graph.values, plan);
  REQUIRE(failures.size() == 3);
  CHECK(failures[0] == "plan: sum, operation 1, writes over its operand 0 while it reads it");
  CHECK(failures[1] == "plan: add, operation 2, reads %1, but its byte 0 belongs to %2 by then");
}

TEST_CASE("plan: the check notices operations that should have run, and places outside") {
  const Graph graph = chain();
  Plan plan = plan_memory(graph, graph.values);
  plan.runs[1] = false;
  CHECK(test::check_plan(graph, graph.values, plan).size() == 1);
  plan = plan_memory(graph, graph.values, kPlain);
  plan.blocks[1].offset = plan.blocks[0].offset;
  plan.blocks[1].first = plan.blocks[0].first;
  CHECK(test::check_plan(graph, graph.values, plan) ==
        std::vector<std::string>{"plan: blocks 0 and 1 share memory at one time"});
  plan = plan_memory(graph, graph.values, kPlain);
  plan.arena_bytes = 128;
  CHECK_FALSE(test::check_plan(graph, graph.values, plan).empty());
}

}  // namespace milgrad
