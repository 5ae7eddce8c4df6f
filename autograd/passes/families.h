// Kinds of operations that several passes ask for.
#pragma once

#include "autograd/graph.h"

#include <optional>

namespace milgrad {

/// Whether each element of the result depends on the elements at that place alone, after NumPy's
/// broadcasting of the operands.
bool is_elementwise(Op op);

/// Whether the operation reads the elements of this operand, not its shape alone.
bool reads_elements(Op op, std::size_t operand);

/// The one number that a constant of any shape holds; nothing if its elements differ, if there are
/// none, or if the value is no constant.
std::optional<double> constant_number(const Graph& graph, Value value);

}  // namespace milgrad
