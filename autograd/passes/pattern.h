// Pattern: a small graph to be found in a larger one.
#pragma once

#include "autograd/graph_index.h"

#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace milgrad {

/// Finds where a graph does what another one, the pattern, does. A pattern is traced from a
/// function, so what it looks for is what that function's operations and gradient rules give.
class Pattern {
 public:
  /// `result` is the value of the pattern at which a search begins; values in `inputs` stand for
  /// anything of equal spec, whatever computes them in the pattern.
  Pattern(Graph graph, Value result, std::vector<Value> inputs);

  struct Match {
    std::map<Value, Value> values;  // of the pattern to those of the graph
    std::vector<int> operations;    // of the graph
  };
  /// Whether `value` is computed as the pattern's result is. Constants must hold the same number.
  std::optional<Match> find(const Graph& graph, const GraphIndex& index, Value value) const;

 private:
  bool match(const Graph& graph, const GraphIndex& index, Value expected, Value given,
             Match& found) const;

  Graph pattern_;
  GraphIndex index_;
  Value result_;
  std::vector<Value> inputs_;
};

}  // namespace milgrad
