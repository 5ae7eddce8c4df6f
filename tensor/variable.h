// Variable: state that operations update in place, at one address for its whole life.
#pragma once

#include "tensor/tensor.h"

#include <memory>
#include <string>

namespace milgrad {

struct VariableOptions {
  std::string name = "variable";
  bool trainable = true;
};

/// A shared handle: copies of a Variable are the same Variable. Weights, optimizer moments, the
/// learning rate, step counts and random counters are Variables. Reading one gives a Tensor over
/// its memory, which shows every later update; copy() it to keep the present values.
class Variable {
 public:
  /// No variable; using it throws ValueError.
  Variable() = default;
  /// Copies the elements of `initial` (never traced, never on the tape) into memory of its own.
  explicit Variable(const Tensor& initial, VariableOptions options = {});

  bool defined() const { return state_ != nullptr; }
  const std::string& name() const { return state().name; }
  bool trainable() const { return state().trainable; }
  void set_trainable(bool trainable);
  const Shape& shape() const { return state().value.shape(); }
  DType dtype() const { return state().value.dtype(); }
  Device device() const { return state().value.device(); }

  /// The memory as a tensor: the same leaf of the tape at every read if the variable is trainable
  /// and floating, else untracked. In a trace it stands for the value current at that point.
  const Tensor& value() const;
  operator const Tensor&() const { return value(); }  // NOLINT: a variable reads as its value

  /// Copies `value` into the memory; its shape and dtype must be the variable's. Values saved for
  /// a backward pass before it are found out by that pass (GradientError).
  void assign(const Tensor& value) const;

  /// Whether both are the same variable; equal values do not matter.
  bool operator==(const Variable& other) const = default;

 private:
  struct State {
    std::string name;
    bool trainable;
    Tensor value;
    Tensor leaf;
  };
  State& state() const;

  std::shared_ptr<State> state_;
};

}  // namespace milgrad
