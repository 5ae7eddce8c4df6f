// One operation on the tape: where its inputs came from, and the values its gradient rule reads.
#pragma once

#include "tensor/attrs.h"
#include "tensor/op.h"
#include "tensor/tensor.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace milgrad {

/// A tensor as remembered for the backward pass. It keeps memory alive only if the rule declared
/// that it reads the value, and never an edge back to its own node (which would be a cycle).
class SavedTensor {
 public:
  SavedTensor(const Tensor& x, bool keep_value);
  /// The tensor again, attached to `edge`; throws GradientError if it was overwritten since.
  Tensor restore(const Edge& edge, const char* op) const;

 private:
  TensorParts parts_;  // without storage if the value is not kept
  std::uint64_t version_ = 0;
};

struct Node {
  std::optional<Op> op;  // empty for a leaf
  Attrs attrs;
  std::uint64_t order = 0;  // rises with every node of the program: inputs come before users
  std::vector<Edge> inputs;
  std::vector<SavedTensor> saved_inputs;
  std::vector<SavedTensor> saved_outputs;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// Frees a chain of any length without recursion.
  ~Node();
};

/// A fresh leaf.
std::shared_ptr<Node> make_leaf();

/// Remembers `op` and attaches its outputs to the tape; called by apply().
void record_on_tape(Op op, const Attrs& attrs, std::span<const Tensor> inputs, Tensors& outputs);

}  // namespace milgrad
