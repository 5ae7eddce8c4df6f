// Reverse-mode derivatives: a walk over the tape that only calls operations, so that its results
// can be differentiated again and traced.
#pragma once

#include "tensor/tensor.h"

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

namespace milgrad {

struct GradOptions {
  /// dL/d(output), one per output, of its shape and dtype; may be left out for outputs with a
  /// single element (it is 1).
  Tensors cotangents = {};
  /// Put the gradients themselves on the tape, for derivatives of higher order.
  bool create_graph = false;
  /// Throw GradientError "no path" instead of returning zeros where a gradient does not exist.
  bool strict = false;
};

/// d(outputs)/d(wrt), one gradient per tensor of `wrt`, of its shape and dtype. `wrt` are leaves
/// (variables, requires_grad()) or any other tensor on the tape.
/// Throws GradientError for a tensor that is not tracked, for an operation on the way that is not
/// differentiable (with its reason), and for a saved value that was overwritten since.
Tensors grad(const Tensors& outputs, const Tensors& wrt, const GradOptions& options = {});
Tensor grad(const Tensor& output, const Tensor& wrt, const GradOptions& options = {});

/// The gradients of one scalar for every leaf that it depends on.
class Gradients {
 public:
  /// The gradient for a leaf; zeros if the scalar does not depend on it. Throws GradientError for a
  /// tensor that is no leaf.
  Tensor operator[](const Tensor& leaf) const;
  std::size_t size() const { return by_leaf_.size(); }

 private:
  friend Gradients backward(const Tensor& loss);
  std::unordered_map<const Node*, Tensor> by_leaf_;
  std::vector<std::shared_ptr<Node>> leaves_;  // keeps the keys alive
};
Gradients backward(const Tensor& loss);

/// x behind a place of its own on the tape: a gradient for the result leaves out the paths on which
/// x reaches the output through other tensors.
Tensor with_own_node(const Tensor& x);

/// f at `inputs`, and the partial derivative of its scalar result for each of them: one input does
/// not count as a function of another, whatever they were computed from. Also inside of a NoGrad.
struct ValueAndGrad {
  Tensor value;
  Tensors gradients;
};
ValueAndGrad value_and_grad(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                            const GradOptions& options = {});

}  // namespace milgrad
