// What several passes ask of operations and values.
#pragma once

#include "autograd/graph.h"

#include <optional>

namespace milgrad {

/// Whether the operation reads the elements of this operand, not its shape alone.
bool reads_elements(Op op, std::size_t operand);

/// The one number that a constant of any shape holds; nothing if its elements differ, if there are
/// none, or if the value is no constant.
std::optional<double> constant_number(const Graph& graph, Value value);

}  // namespace milgrad
