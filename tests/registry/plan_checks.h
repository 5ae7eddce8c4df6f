// Proves a memory plan by playing the program through over an arena of labels.
#pragma once

#include "autograd/plan.h"

#include <string>
#include <vector>

namespace milgrad::test {

/// What is wrong with a plan, one line each; empty if nothing is. Knows nothing of how it was made:
///   - every byte that an operation reads, and every byte of an output at the end, was written
///     last by what the graph says it holds, as the operations run one after another;
///   - what an operation writes does not touch what it reads, unless it is declared in place and
///     writes exactly over its first operand; nor its workspace either;
///   - an operation that does not run is a view, or its operands already lie side by side, or
///     nobody reads its elements;
///   - blocks are aligned, lie in the arena, and share no byte while both are taken.
std::vector<std::string> check_plan(const Graph& graph, const std::vector<Spec>& specs,
                                    const Plan& plan);

}  // namespace milgrad::test
