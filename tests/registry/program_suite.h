// Points 7 of the registry checks: programs of one operation, as every operation has to pass them.
#pragma once

#include "tensor/op.h"

#include <string>
#include <vector>

namespace milgrad::test {

/// Makes programs of each sample of the operation, forward and with its gradient, in every dtype
/// that it takes, of inputs and of constants, and holds them against the eager operation for all
/// choices of passes. One line per failure.
std::vector<std::string> check_op_programs(Op op);

}  // namespace milgrad::test
