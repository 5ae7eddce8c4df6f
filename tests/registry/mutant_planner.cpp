// The library's planner under another name, and a planner in its place that spoils the plans. A
// test binary that links this file defines all that the library's own plan.cpp does, so that one
// does not enter.
#include "autograd/plan.h"
#include "tests/registry/mutants.h"

#define plan_memory sound_plan
#include "autograd/plan.cpp"
#undef plan_memory

#include <algorithm>

namespace milgrad {
namespace {

using test::program_mutant;
using test::ProgramMutation;

/// The operation that makes each value; -1 for none.
std::vector<int> producers_of(const Graph& graph) {
  std::vector<int> producers(graph.values.size(), -1);
  for (std::size_t i = 0; i < graph.operations.size(); ++i)
    for (Value v : graph.operations[i].outputs)
      producers[static_cast<std::size_t>(v)] = static_cast<int>(i);
  return producers;
}

/// Moves what lies in `block` to another offset; whether anything lay there.
bool move(Plan& plan, ArenaBlock& block, std::size_t offset, const std::vector<int>& producers) {
  bool moved = false;
  for (std::size_t v = 0; v < plan.places.size(); ++v) {
    Place& place = plan.places[v];
    const bool inside = place.kind == Place::Kind::arena && place.offset >= block.offset &&
                        place.offset < block.offset + block.bytes && producers[v] >= block.first &&
                        producers[v] <= block.last;
    if (!inside) continue;
    place.offset = place.offset - block.offset + offset;
    moved = true;
  }
  block.offset = offset;
  return moved;
}

void free_early(const Graph& graph, Plan& plan) {
  const std::vector<int> producers = producers_of(graph);
  for (const ArenaBlock& old : plan.blocks)
    for (ArenaBlock& fresh : plan.blocks) {
      if (old.last != fresh.first || old.first >= fresh.first || fresh.bytes > old.bytes) continue;
      const Graph::Operation& operation = graph.operation(fresh.first);
      if (definition(operation.op).in_place) continue;
      if (move(plan, fresh, old.offset, producers)) {
        ++program_mutant.applied;
        return;
      }
    }
}

bool is_read_after(const Graph& graph, const Plan& plan, Value value, std::size_t operation) {
  for (std::size_t i = operation + 1; i < graph.operations.size(); ++i) {
    const auto& inputs = graph.operations[i].inputs;
    if (plan.runs[i] && std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return true;
  }
  return false;
}

void overwrite_operand(const Graph& graph, const std::vector<Spec>& specs, Plan& plan) {
  for (std::size_t i = 0; i < graph.operations.size(); ++i) {
    const Graph::Operation& operation = graph.operations[i];
    if (!plan.runs[i] || !definition(operation.op).in_place || operation.inputs.empty()) continue;
    const auto from = static_cast<std::size_t>(operation.inputs[0]);
    const auto to = static_cast<std::size_t>(operation.outputs[0]);
    const bool fits = specs[from] == specs[to] && plan.places[from].kind == Place::Kind::arena &&
                      plan.places[to].kind == Place::Kind::arena &&
                      plan.places[from].offset != plan.places[to].offset;
    if (!fits || !is_read_after(graph, plan, operation.inputs[0], i)) continue;
    plan.places[to].offset = plan.places[from].offset;
    ++program_mutant.applied;
    return;
  }
}

}  // namespace

Plan plan_memory(const Graph& graph, const std::vector<Spec>& specs, const PlanOptions& options) {
  Plan plan = sound_plan(graph, specs, options);
  if (program_mutant.mutation == ProgramMutation::frees_early) free_early(graph, plan);
  if (program_mutant.mutation == ProgramMutation::overwrites_operand)
    overwrite_operand(graph, specs, plan);
  return plan;
}

}  // namespace milgrad
