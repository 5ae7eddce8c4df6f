// Passes that need no knowledge of single operations: shapes, views, constants, common, dead_code.
#include "autograd/graph_index.h"
#include "autograd/passes/families.h"
#include "autograd/passes/pass.h"
#include "tensor/apply.h"
#include "tensor/mode.h"

#include <algorithm>
#include <map>

namespace milgrad::passes {
namespace {

bool changes_something(const Graph::Operation& operation) {
  return definition(operation.op).mutates != 0;
}

/// The unstacking whose parts, all of them and in order, an operation stacks again along the same
/// axis; null otherwise.
const Graph::Operation* undone_by(const GraphIndex& index, const Graph::Operation& operation) {
  if (operation.op != Op::stack) return nullptr;
  const Graph::Operation* parts = index.produced_by(operation.inputs[0], Op::unstack);
  const bool undone =
      parts != nullptr && parts->outputs == operation.inputs && parts->attrs == operation.attrs;
  return undone ? parts : nullptr;
}

/// The value that a view stands for without changing anything: it has the same shape.
bool is_idle(const Graph& graph, const Graph::Operation& operation) {
  return definition(operation.op).alias != nullptr && operation.outputs.size() == 1 &&
         graph.spec(operation.inputs[0]) == graph.spec(operation.outputs[0]);
}

bool keeps_all_elements(Op op) {
  return op == Op::reshape || op == Op::reshape_like || op == Op::flatten ||
         op == Op::expand_dims || op == Op::squeeze;
}

/// A reshaping of a reshaping reads the original.
bool skip_inner_view(const Graph& graph, const GraphIndex& index, Graph::Operation& operation) {
  if (operation.op != Op::reshape_like) return false;
  const int before = index.producer(operation.inputs[0]);
  if (before < 0) return false;
  const Graph::Operation& inner = graph.operation(before);
  if (!keeps_all_elements(inner.op)) return false;
  operation.inputs[0] = inner.inputs[0];
  return true;
}

/// Constants of one shape that hold the same number everywhere become one.
void share_constants(Graph& graph) {
  std::vector<std::pair<Value, double>> seen;
  for (const Graph::External& external : graph.externals) {
    const auto number = constant_number(graph, external.value);
    if (!number) continue;
    const auto same = std::find_if(seen.begin(), seen.end(), [&](const auto& other) {
      return other.second == *number && graph.spec(other.first) == graph.spec(external.value);
    });
    if (same == seen.end())
      seen.emplace_back(external.value, *number);
    else
      graph.replace_uses(external.value, same->first);
  }
}

}  // namespace

void shapes(Graph& graph) {
  // A value of the same shape that is there anyway: an input, an external or what it came from. And
  // of the same dtype, which is that of the result of size_of.
  const GraphIndex index(graph);
  const auto origin = [&](Value value) {
    for (;;) {
      const int i = index.producer(value);
      if (i < 0) return value;
      const Graph::Operation& operation = graph.operation(i);
      const auto same = std::find_if(operation.inputs.begin(), operation.inputs.end(),
                                     [&](Value v) { return graph.spec(v) == graph.spec(value); });
      if (same == operation.inputs.end()) return value;
      value = *same;
    }
  };
  std::map<std::string, Value> known;
  for (Graph::Operation& operation : graph.operations) {
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      if (reads_elements(operation.op, k)) continue;
      Value& value = operation.inputs[k];
      const Spec spec = graph.spec(value);
      if (spec.shape.has_symbol()) {
        value = origin(value);
        continue;
      }
      const auto [found, fresh] = known.try_emplace(spec.to_string());
      if (fresh) found->second = graph.add_constant(Tensor::abstract(spec));
      value = found->second;
    }
  }
}

void views(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    const GraphIndex index(graph);
    for (Graph::Operation& operation : graph.operations) {
      changed = skip_inner_view(graph, index, operation) || changed;
      Value same = -1;
      if (is_idle(graph, operation)) same = operation.inputs[0];
      if (const auto* parts = undone_by(index, operation)) same = parts->inputs[0];
      if (same < 0 || index.uses(operation.outputs[0]).empty()) {
        if (same < 0 || !index.is_output(operation.outputs[0])) continue;
      }
      graph.replace_uses(operation.outputs[0], same);
      changed = true;
      break;
    }
  }
  remove_dead(graph);
}

void constants(Graph& graph) {
  const RecorderScope computing(nullptr);
  const NoGrad untracked;
  std::map<Value, Tensor> known;
  for (const Graph::External& external : graph.externals)
    if (is_constant(external)) known[external.value] = external.tensor;
  std::vector<Graph::Operation> rest;
  for (Graph::Operation& operation : graph.operations) {
    Tensors operands;
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      const Spec& spec = graph.spec(operation.inputs[k]);
      const auto found = known.find(operation.inputs[k]);
      if (found != known.end())
        operands.push_back(found->second);
      else if (!reads_elements(operation.op, k) && !spec.shape.has_symbol())
        operands.push_back(Tensor::abstract(spec));
    }
    const bool small =
        std::all_of(operation.outputs.begin(), operation.outputs.end(), [&](Value v) {
          return !graph.spec(v).shape.has_symbol() && graph.spec(v).shape.numel() <= 1024;
        });
    const bool foldable = !changes_something(operation) && small && !operands.empty() &&
                          operands.size() == operation.inputs.size();
    if (!foldable) {
      rest.push_back(std::move(operation));
      continue;
    }
    const Tensors results = apply(operation.op, operation.attrs, operands);
    for (std::size_t k = 0; k < results.size(); ++k) {
      known[operation.outputs[k]] = results[k];
      graph.externals.push_back({operation.outputs[k], results[k]});
    }
  }
  graph.operations = std::move(rest);
  share_constants(graph);
}

void common(Graph& graph) {
  for (std::size_t i = 0; i < graph.operations.size(); ++i) {
    if (changes_something(graph.operations[i])) continue;
    for (std::size_t j = 0; j < i; ++j) {
      const Graph::Operation &a = graph.operations[j], &b = graph.operations[i];
      if (a.op != b.op || a.inputs != b.inputs || !(a.attrs == b.attrs)) continue;
      for (std::size_t k = 0; k < a.outputs.size(); ++k)
        graph.replace_uses(b.outputs[k], a.outputs[k]);
      break;
    }
  }
  remove_dead(graph);
}

void dead_code(Graph& graph) { remove_dead(graph); }

}  // namespace milgrad::passes
