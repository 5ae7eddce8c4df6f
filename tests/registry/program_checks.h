// Holds a program against the function that it was made of.
#pragma once

#include "autograd/gradcheck.h"
#include "autograd/program.h"

#include <string>
#include <vector>

namespace milgrad::test {

/// A function of tensors, which may read and change variables, and arguments for it.
struct Subject {
  TensorFunction function = {};
  std::vector<Tensors> arguments = {};  // per replay
  /// Adam divides by a root that may be near 0, which multiplies rounding: variables then agree
  /// to 1e-5 absolute.
  bool amplifies = false;
};

enum class Depth {
  ends,      // passes all off and all on
  each_pass  // also each alone on, each alone off
};

/// What is wrong, one line each; empty if nothing is. For each choice of passes:
///   - every replay gives what the function gives, outputs and variables: the same bits if no pass
///     that changes arithmetic is on, else to 1e-12 (float64) or 2e-6 (float32) relative to the
///     tensor's largest element (at least 1e-3);
///   - results of a replay stay as they are during the next;
///   - the arena starts as NaN, every operand holds what its producer wrote (compared with an
///     eager run beside it) and check_plan() finds nothing.
std::vector<std::string> check_programs(const Subject& subject, Depth depth);

}  // namespace milgrad::test
