// Runs a kernel in memory of its own, with guards around the outputs.
#pragma once

#include "tensor/op.h"

#include <span>
#include <string>
#include <vector>

namespace milgrad::test {

struct KernelRun {
  Tensors outputs;
  Tensors mutated;                    // inputs that the operation overwrites, afterwards
  std::vector<std::string> failures;  // guards touched, elements not written
};

/// Runs the CPU kernel twice over differently poisoned outputs: what differs was not written.
KernelRun run_kernel(Op op, const Attrs& attrs, const Tensors& inputs,
                     std::span<const Spec> outputs);

}  // namespace milgrad::test
