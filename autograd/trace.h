// Tracing: a function of tensors becomes a flat list of operations.
#pragma once

#include "tensor/attrs.h"
#include "tensor/op.h"
#include "tensor/tensor.h"

#include <functional>
#include <string>
#include <vector>

namespace milgrad {

/// A flat list of operations over numbered values. Values are the graph's inputs, tensors of the
/// surroundings (variables and constants, read when their operation runs) and results.
struct Graph {
  struct Operation {
    Op op;
    Attrs attrs;
    std::vector<std::int64_t> inputs;
    std::vector<std::int64_t> outputs;
    std::string scope;  // path of the layer that was running, "" outside of layers
  };
  struct External {
    std::int64_t value;
    Tensor tensor;
  };

  std::vector<Spec> values;
  std::vector<std::int64_t> inputs;
  std::vector<External> externals;
  std::vector<Operation> operations;
  std::vector<std::int64_t> outputs;

  /// One line per operation: `%5 = matmul(%0, %1) transpose_b=true  float32 (2, 4)  # dense`.
  std::string to_string() const;

  /// Runs the operations one after another through apply(). Throws ShapeError for arguments other
  /// than the graph was traced for; sizes of one symbol are equal.
  Tensors run(const Tensors& arguments) const;
};

/// Calls f once with traced tensors of these specs and returns what it did. Nothing is computed and
/// no variable changes. A leading size may be symbolic (symbolic_dim). Reading a value on the host
/// inside f throws TraceError.
Graph trace(const std::function<Tensors(const Tensors&)>& f, const std::vector<Spec>& inputs);

}  // namespace milgrad
