// GraphIndex: who makes and who reads each value of a graph, and in which order operations may run.
#pragma once

#include "autograd/graph.h"

#include <functional>
#include <span>
#include <vector>

namespace milgrad {

/// A reading of a value: operand `operand` of operation `operation`.
struct Use {
  int operation;
  int operand;
};

/// Tables over a graph as it stands; made anew after every change.
class GraphIndex {
 public:
  explicit GraphIndex(const Graph& graph);

  /// The operation that makes the value; -1 for inputs and externals.
  int producer(Value value) const { return producers_[static_cast<std::size_t>(value)]; }
  /// The producer if it is this operation; null otherwise.
  const Graph::Operation* produced_by(Value value, Op op) const;
  std::span<const Use> uses(Value value) const { return uses_[static_cast<std::size_t>(value)]; }
  bool is_output(Value value) const { return is_output_[static_cast<std::size_t>(value)]; }
  /// Whether one operand of one operation is all that reads it.
  bool has_one_use(Value value) const { return uses(value).size() == 1 && !is_output(value); }
  /// The value whose memory this one may share: views lead back to what they look into.
  Value root(Value value) const { return roots_[static_cast<std::size_t>(value)]; }

  /// Whether the elements are those of a variable that the graph overwrites: reading them later is
  /// then another thing than reading a copy.
  bool is_overwritten(Value value) const {
    return overwritten_[static_cast<std::size_t>(root(value))];
  }

  /// Operations that must have run before: the producers of operands; and for the memory of a
  /// variable, readers of a version before the operation that overwrites it, and that one before
  /// readers of the next version.
  std::span<const int> predecessors(int operation) const {
    return predecessors_[static_cast<std::size_t>(operation)];
  }
  /// Whether these operations can become one: no path leaves them and comes back.
  bool can_fuse(std::span<const int> operations) const;
  /// Whether none of these operations needs another one, directly or through others.
  bool are_independent(std::span<const int> operations) const;

 private:
  bool reaches_back(std::span<const int> operations, bool also_directly) const;
  void order_memory(const Graph& graph);

  const Graph& graph_;
  std::vector<int> producers_;
  std::vector<std::vector<Use>> uses_;
  std::vector<bool> is_output_;
  std::vector<Value> roots_;
  std::vector<bool> overwritten_;
  std::vector<std::vector<int>> predecessors_;
};

/// As rewrite(), but leaves the graph as it was and returns false if no order exists.
bool try_rewrite(Graph& graph, std::span<const int> removed, std::vector<Graph::Operation> added);

/// Replaces operations by others and puts all into an order that respects every value and every
/// variable, as close to the present one as it can be: `added` come where the last of `removed`
/// was. Values of `removed` that are read elsewhere must be outputs of `added`. Throws Error if no
/// order exists (can_fuse says so before).
void rewrite(Graph& graph, std::span<const int> removed, std::vector<Graph::Operation> added);

/// Tries to change the graph at one operation, given by its number; returns whether it did.
using Rewriting = std::function<bool(Graph&, const GraphIndex&, int)>;
/// Applies it at the first operation where it changes something; returns whether there was one.
bool rewrite_somewhere(Graph& graph, const Rewriting& rewriting);
/// The same until it changes nothing any more.
void rewrite_everywhere(Graph& graph, const Rewriting& rewriting);

/// Takes out operations whose results nobody reads and that change nothing; returns how many.
int remove_dead(Graph& graph);

}  // namespace milgrad
