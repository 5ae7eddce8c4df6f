// A table of passes that spoil what the library's passes make.
#include "autograd/graph_index.h"
#include "autograd/passes/pass.h"
#include "tests/registry/mutants.h"

namespace milgrad {
namespace test {
ProgramMutant program_mutant;
}

namespace {

using test::program_mutant;
using test::ProgramMutation;

/// Lets readers of an elementwise operation read its operand instead.
void drop_operation(Graph& graph) {
  const GraphIndex index(graph);
  for (const Graph::Operation& operation : graph.operations) {
    if (!definition(operation.op).in_place || operation.outputs.size() != 1) continue;
    const Value from = operation.outputs[0], to = operation.inputs[0];
    const bool is_read = !index.uses(from).empty() || index.is_output(from);
    if (!is_read || !(graph.spec(from) == graph.spec(to))) continue;
    graph.replace_uses(from, to);
    ++program_mutant.applied;
    return;
  }
}

bool same_specs(const Graph& graph, const Graph::Operation& a, const Graph::Operation& b) {
  for (std::size_t k = 0; k < a.outputs.size(); ++k)
    if (!(graph.spec(a.outputs[k]) == graph.spec(b.outputs[k]))) return false;
  return a.outputs.size() == b.outputs.size();
}

void merge_whatever_attributes(Graph& graph) {
  for (std::size_t i = 0; i < graph.operations.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const Graph::Operation &a = graph.operations[j], &b = graph.operations[i];
      const bool alike = a.op == b.op && a.inputs == b.inputs && !(a.attrs == b.attrs);
      if (!alike || definition(a.op).mutates != 0 || !same_specs(graph, a, b)) continue;
      for (std::size_t k = 0; k < a.outputs.size(); ++k)
        graph.replace_uses(b.outputs[k], a.outputs[k]);
      ++program_mutant.applied;
    }
}

template <void (*kPass)(Graph&)>
void mutant(Graph& graph, const char* name) {
  if (program_mutant.pass != name) return kPass(graph);
  if (program_mutant.mutation == ProgramMutation::ignores_attributes)
    merge_whatever_attributes(graph);
  const std::string before = graph.to_string();
  kPass(graph);
  if (program_mutant.mutation == ProgramMutation::drops_operation && graph.to_string() != before)
    drop_operation(graph);
}

}  // namespace

const Pass kPassTable[] = {
#define PASS(name, doc) {#name, doc, [](Graph& graph) { mutant<passes::name>(graph, #name); }},
#include "autograd/passes/passes.def"
#undef PASS
};

}  // namespace milgrad
