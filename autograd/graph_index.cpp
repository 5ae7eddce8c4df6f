// Tables over a graph, and changes that keep its order right.
#include "autograd/graph_index.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <utility>

#include <fmt/format.h>

namespace milgrad {
namespace {

bool mutates(const Graph::Operation& operation, std::size_t operand) {
  return operand < 64 && ((definition(operation.op).mutates >> operand) & 1u) != 0;
}

/// The operations in an order in which each comes after its predecessors; among those that could
/// be next, the one that stands first.
std::vector<int> sorted(const GraphIndex& index, int count) {
  std::vector<int> waits(static_cast<std::size_t>(count)), order;
  std::vector<std::vector<int>> successors(static_cast<std::size_t>(count));
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < count; ++i) {
    for (int before : index.predecessors(i))
      successors[static_cast<std::size_t>(before)].push_back(i);
    waits[static_cast<std::size_t>(i)] = static_cast<int>(index.predecessors(i).size());
    if (index.predecessors(i).empty()) ready.push(i);
  }
  while (!ready.empty()) {
    const int next = ready.top();
    ready.pop();
    order.push_back(next);
    for (int after : successors[static_cast<std::size_t>(next)])
      if (--waits[static_cast<std::size_t>(after)] == 0) ready.push(after);
  }
  return order;
}

using Variables = std::map<Value, const Graph::External*>;

Variables variables_of(const Graph& graph) {
  Variables variables;
  for (const Graph::External& external : graph.externals)
    if (external.tensor.has_storage() && !is_constant(external))
      variables[external.value] = &external;
  return variables;
}

/// A variable's memory between two operations that overwrite it.
struct Version {
  int writer = -1;  // overwrites this version
  std::vector<int> readers = {};
};
using Versions = std::map<std::pair<const Storage*, std::uint64_t>, Version>;

Versions versions_of(const Graph& graph, const GraphIndex& index, const Variables& variables) {
  Versions versions;
  for (std::size_t i = 0; i < graph.operations.size(); ++i) {
    const Graph::Operation& operation = graph.operations[i];
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      const auto found = variables.find(index.root(operation.inputs[k]));
      if (found == variables.end()) continue;
      const Graph::External& variable = *found->second;
      Version& version = versions[{variable.tensor.storage().get(), variable.version}];
      if (mutates(operation, k))
        version.writer = static_cast<int>(i);
      else
        version.readers.push_back(static_cast<int>(i));
    }
  }
  return versions;
}

}  // namespace

GraphIndex::GraphIndex(const Graph& graph)
    : graph_(graph),
      producers_(graph.values.size(), -1),
      uses_(graph.values.size()),
      is_output_(graph.values.size()),
      roots_(graph.values.size()),
      overwritten_(graph.values.size()),
      predecessors_(graph.operations.size()) {
  for (Value value : graph.outputs) is_output_[static_cast<std::size_t>(value)] = true;
  for (std::size_t v = 0; v < roots_.size(); ++v) roots_[v] = static_cast<Value>(v);
  for (std::size_t i = 0; i < graph.operations.size(); ++i) {
    const Graph::Operation& operation = graph.operations[i];
    for (Value value : operation.outputs)
      producers_[static_cast<std::size_t>(value)] = static_cast<int>(i);
    for (std::size_t k = 0; k < operation.inputs.size(); ++k)
      uses_[static_cast<std::size_t>(operation.inputs[k])].push_back(
          {static_cast<int>(i), static_cast<int>(k)});
  }
  // Rewriting may have put an operation before the one it reads; views are followed in any order.
  for (std::size_t pass = 0, changed = 1; changed != 0 && pass < roots_.size(); ++pass) {
    changed = 0;
    for (const Graph::Operation& operation : graph.operations) {
      if (!is_view(graph, operation)) continue;
      for (Value value : operation.outputs)
        if (std::exchange(roots_[static_cast<std::size_t>(value)], root(operation.inputs[0])) !=
            root(operation.inputs[0]))
          ++changed;
    }
  }
  for (std::size_t i = 0; i < graph.operations.size(); ++i)
    for (Value value : graph.operations[i].inputs)
      if (producer(value) >= 0) predecessors_[i].push_back(producer(value));
  order_memory(graph);
  for (auto& list : predecessors_) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
}

void GraphIndex::order_memory(const Graph& graph) {
  const auto variables = variables_of(graph);
  const Versions versions = versions_of(graph, *this, variables);
  for (const auto& [value, variable] : variables) {
    const Storage* memory = variable->tensor.storage().get();
    overwritten_[static_cast<std::size_t>(value)] = std::any_of(
        versions.begin(), versions.end(),
        [&](const auto& entry) { return entry.first.first == memory && entry.second.writer >= 0; });
  }
  const auto order = [&](int before, int after) {
    if (before >= 0 && after >= 0 && before != after)
      predecessors_[static_cast<std::size_t>(after)].push_back(before);
  };
  int previous_writer = -1;
  const Storage* storage = nullptr;
  for (const auto& [key, version] : versions) {
    if (key.first != storage) previous_writer = -1;
    storage = key.first;
    for (int reader : version.readers) {
      order(reader, version.writer);
      order(previous_writer, reader);
    }
    order(previous_writer, version.writer);
    previous_writer = version.writer;
  }
}

const Graph::Operation* GraphIndex::produced_by(Value value, Op op) const {
  const int i = producer(value);
  if (i < 0) return nullptr;
  const Graph::Operation& operation = graph_.operation(i);
  return operation.op == op ? &operation : nullptr;
}

bool GraphIndex::reaches_back(std::span<const int> operations, bool also_directly) const {
  // Walk back from the members' predecessors: meeting a member means that one needs another.
  std::vector<bool> member(predecessors_.size()), seen(predecessors_.size());
  for (int i : operations) member[static_cast<std::size_t>(i)] = true;
  std::vector<int> pending;
  for (int i : operations)
    for (int before : predecessors(i))
      if (also_directly || !member[static_cast<std::size_t>(before)]) pending.push_back(before);
  while (!pending.empty()) {
    const int i = pending.back();
    pending.pop_back();
    if (member[static_cast<std::size_t>(i)]) return true;
    if (seen[static_cast<std::size_t>(i)]) continue;
    seen[static_cast<std::size_t>(i)] = true;
    const auto before = predecessors(i);
    pending.insert(pending.end(), before.begin(), before.end());
  }
  return false;
}

bool GraphIndex::can_fuse(std::span<const int> operations) const {
  return !reaches_back(operations, false);
}

bool GraphIndex::are_independent(std::span<const int> operations) const {
  return !reaches_back(operations, true);
}

bool try_rewrite(Graph& graph, std::span<const int> removed, std::vector<Graph::Operation> added) {
  std::vector<bool> gone(graph.operations.size());
  for (int i : removed) gone[static_cast<std::size_t>(i)] = true;
  const int last = removed.empty() ? static_cast<int>(graph.operations.size()) - 1
                                   : *std::max_element(removed.begin(), removed.end());
  std::vector<Graph::Operation> operations;
  for (int i = 0; i < static_cast<int>(gone.size()); ++i) {
    if (!gone[static_cast<std::size_t>(i)]) operations.push_back(graph.operation(i));
    if (i == last) std::move(added.begin(), added.end(), std::back_inserter(operations));
  }
  std::swap(graph.operations, operations);
  const std::vector<int> order =
      sorted(GraphIndex(graph), static_cast<int>(graph.operations.size()));
  if (order.size() != graph.operations.size()) {
    std::swap(graph.operations, operations);
    return false;
  }
  std::vector<Graph::Operation> result;
  for (int i : order) result.push_back(std::move(graph.operation(i)));
  graph.operations = std::move(result);
  return true;
}

void rewrite(Graph& graph, std::span<const int> removed, std::vector<Graph::Operation> added) {
  if (!try_rewrite(graph, removed, std::move(added)))
    throw Error("[graph] a pass made operations that wait for each other");
}

bool rewrite_somewhere(Graph& graph, const Rewriting& rewriting) {
  const GraphIndex index(graph);
  for (int i = 0; i < static_cast<int>(graph.operations.size()); ++i)
    if (rewriting(graph, index, i)) return true;
  return false;
}

void rewrite_everywhere(Graph& graph, const Rewriting& rewriting) {
  while (rewrite_somewhere(graph, rewriting)) {
  }
}

int remove_dead(Graph& graph) {
  std::vector<bool> needed(graph.values.size());
  for (Value value : graph.outputs) needed[static_cast<std::size_t>(value)] = true;
  std::vector<Graph::Operation> kept;
  for (auto operation = graph.operations.rbegin(); operation != graph.operations.rend();
       ++operation) {
    const bool alive = definition(operation->op).mutates != 0 ||
                       std::any_of(operation->outputs.begin(), operation->outputs.end(),
                                   [&](Value v) { return needed[static_cast<std::size_t>(v)]; });
    if (!alive) continue;
    for (Value value : operation->inputs) needed[static_cast<std::size_t>(value)] = true;
    kept.push_back(std::move(*operation));
  }
  const int removed = static_cast<int>(graph.operations.size() - kept.size());
  std::reverse(kept.begin(), kept.end());
  graph.operations = std::move(kept);
  std::erase_if(graph.externals, [&](const Graph::External& e) {
    return !needed[static_cast<std::size_t>(e.value)];
  });
  return removed;
}

}  // namespace milgrad
