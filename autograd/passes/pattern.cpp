// Matching a pattern from its result up to its inputs.
#include "autograd/passes/pattern.h"

#include "autograd/passes/families.h"

#include <algorithm>

namespace milgrad {

Pattern::Pattern(Graph graph, Value result, std::vector<Value> inputs)
    : pattern_(std::move(graph)), index_(pattern_), result_(result), inputs_(std::move(inputs)) {}

std::optional<Pattern::Match> Pattern::find(const Graph& graph, const GraphIndex& index,
                                            Value value) const {
  Match found;
  if (!match(graph, index, result_, value, found)) return {};
  std::sort(found.operations.begin(), found.operations.end());
  found.operations.erase(std::unique(found.operations.begin(), found.operations.end()),
                         found.operations.end());
  return found;
}

bool Pattern::match(const Graph& graph, const GraphIndex& index, Value expected, Value given,
                    Match& found) const {
  const auto [known, fresh] = found.values.emplace(expected, given);
  if (!fresh) return known->second == given;
  if (!(pattern_.spec(expected) == graph.spec(given))) return false;
  if (std::find(inputs_.begin(), inputs_.end(), expected) != inputs_.end()) return true;
  if (pattern_.find_external(expected) != nullptr) {
    const auto number = constant_number(pattern_, expected);
    return number.has_value() && constant_number(graph, given) == number;
  }
  const int i = index.producer(given), j = index_.producer(expected);
  if (i < 0 || j < 0) return false;
  const Graph::Operation& ours = graph.operation(i);
  const Graph::Operation& theirs = pattern_.operation(j);
  if (ours.op != theirs.op || !(ours.attrs == theirs.attrs) ||
      ours.inputs.size() != theirs.inputs.size())
    return false;
  for (std::size_t k = 0; k < ours.outputs.size(); ++k)
    if ((ours.outputs[k] == given) != (theirs.outputs[k] == expected)) return false;
  for (std::size_t k = 0; k < ours.inputs.size(); ++k) {
    // An operand of which only the shape is read may be any value of that shape.
    if (!reads_elements(ours.op, k)) {
      if (!(graph.spec(ours.inputs[k]).shape == pattern_.spec(theirs.inputs[k]).shape))
        return false;
    } else if (!match(graph, index, theirs.inputs[k], ours.inputs[k], found)) {
      return false;
    }
  }
  found.operations.push_back(i);
  return true;
}

}  // namespace milgrad
