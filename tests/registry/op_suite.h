// The checks that every operation of the registry has to pass, by existing there.
#pragma once

#include "tensor/op.h"

#include <string>
#include <vector>

namespace milgrad::test {

/// Runs all checks on all samples of an operation; one line per failure, each naming the check.
///   well-formed       name, doc line, at least two samples (one with a size-1 axis, a scalar or a
///                     broadcast), a bad sample
///   infer = kernel    the kernel writes every element that infer promised, and nothing around it;
///                     all declared dtypes agree with float64
///   gradient          orders 1 and 2 against central differences in float64
///   not differentiable throws its reason
///   reference         a fused operation equals its decomposition, values and gradients
///   traced            a traced graph of value and gradient gives the eager bits
///   errors            every bad sample throws its message with the operation's name
std::vector<std::string> check_op(Op op);

}  // namespace milgrad::test
