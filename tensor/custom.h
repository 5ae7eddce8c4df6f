// Operations that users define: they pass through apply() like those of the registry, so they are
// computed, put on the tape, traced and planned in the same way.
#pragma once

#include "tensor/call.h"
#include "tensor/op.h"
#include "tensor/tensor.h"

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace milgrad {

/// The definition of a custom operation; two operations are the same if their addresses are. Rules
/// for the gradient are those of the registry: they only call operations.
struct CustomOp {
  /// For error messages and printed graphs.
  std::string name;
  std::string doc = {};
  /// Specs of the outputs, or a ShapeError or DTypeError; args.op is the name.
  std::function<std::vector<Spec>(const InferArgs&)> infer = {};
  /// One gradient per input, undefined for none, of the input's dtype. make_custom_op()
  /// (autograd/custom_op.h) fills it in from the reference. Without a rule a gradient through the
  /// operation is a GradientError.
  std::function<Tensors(const VjpArgs&)> vjp = {};
  /// The reason to give where there is no rule.
  std::string why_not = {};
  /// What the rule reads.
  Saves saves = kSavesAllInputs;
  /// The same result by other operations: the oracle of tests and the source of the gradient.
  std::function<Tensors(std::span<const Tensor>)> reference = {};
  /// Kernels: contiguous views, no allocation of tensors. Calls on a device without one throw
  /// DeviceError.
  std::function<void(const Call&)> cpu = {};
  std::function<void(const Call&)> cuda = {};
  /// float64 inputs, away from kinks, at which gradcheck(op) compares rule, kernel and reference.
  std::function<std::vector<Tensors>()> samples = {};
};

/// Runs a custom operation. Throws ValueError if it lacks a name or a shape rule.
Tensors apply_custom(const std::shared_ptr<const CustomOp>& op, std::span<const Tensor> inputs);
inline Tensors apply_custom(const std::shared_ptr<const CustomOp>& op,
                            std::initializer_list<Tensor> inputs) {
  return apply_custom(op, std::span<const Tensor>(inputs.begin(), inputs.size()));
}

}  // namespace milgrad
