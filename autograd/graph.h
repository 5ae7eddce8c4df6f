// Graph: a function as a flat list of operations. Traces make it, passes rewrite it, programs run
// it.
#pragma once

#include "tensor/attrs.h"
#include "tensor/op.h"
#include "tensor/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace milgrad {

/// The number of a value within its graph.
using Value = std::int64_t;

/// A flat list of operations over numbered values. Values are the graph's inputs, tensors of the
/// surroundings (variables and constants, read when their operation runs) and results.
struct Graph {
  struct Operation {
    Op op;
    Attrs attrs;
    std::vector<Value> inputs;
    std::vector<Value> outputs;
    std::string scope;  // path of the layer that was running, "" outside of layers
  };
  struct External {
    Value value;
    Tensor tensor;
    std::uint64_t version = 0;  // how many operations of the graph overwrite the memory before
  };

  std::vector<Spec> values;
  std::vector<Value> inputs;
  std::vector<External> externals;
  std::vector<Operation> operations;
  std::vector<Value> outputs;

  const Spec& spec(Value value) const { return values[static_cast<std::size_t>(value)]; }
  Operation& operation(int i) { return operations[static_cast<std::size_t>(i)]; }
  const Operation& operation(int i) const { return operations[static_cast<std::size_t>(i)]; }
  Value add_value(const Spec& spec);
  /// The external of this value; null if it is none.
  const External* find_external(Value value) const;
  /// Makes a constant of the surroundings a value.
  Value add_constant(const Tensor& constant);
  /// Reads `to` wherever `from` was read, also as an output.
  void replace_uses(Value from, Value to);

  /// One line per operation: `%5 = matmul(%0, %1) transpose_b=true  float32 (2, 4)  # dense`.
  std::string to_string() const;
  /// A drawing for Graphviz: `dot -Tsvg`.
  std::string to_dot() const;

  /// Runs the operations one after another through apply(). Throws ShapeError for arguments other
  /// than the graph was traced for; sizes of one symbol are equal.
  Tensors run(const Tensors& arguments) const;
};

/// Throws ValueError or ShapeError unless the arguments are what the graph was traced for.
void check_arguments(const Graph& graph, std::span<const Tensor> arguments);

/// Whether an external never changes: it is not the memory of a Variable.
bool is_constant(const Graph::External& external);

/// Whether the results of an operation lie in the memory of its first operand.
bool is_view(const Graph& graph, const Graph::Operation& operation);

}  // namespace milgrad
