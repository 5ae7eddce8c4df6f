// Optimizer: the base of all optimizers.
#pragma once

#include "nn/choice.h"
#include "nn/weights_file.h"
#include "tensor/variable.h"

#include <memory>
#include <string>
#include <vector>

namespace milgrad::nn {

/// Updates variables from gradients. Learning rate and iteration count are Variables, so that a
/// callback may change the one and a compiled step reads both.
class Optimizer : public OptimizerState {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// "adam", "sgd" with their default options.
  static std::shared_ptr<Optimizer> by_name(const std::string& name);

  std::string name() const override { return name_; }
  /// In floatx(), as in Keras: in float32 0.001 reads 0.0010000000474974513.
  const Variable& learning_rate() const { return learning_rate_; }
  void set_learning_rate(double learning_rate) const;
  /// Updates done so far (int32).
  const Variable& iterations() const { return iterations_; }

  /// Makes the slots (moments, velocities) of these variables; called by the first step. Throws
  /// ValueError if it was built for other variables: an optimizer belongs to one model.
  void build(const std::vector<Variable>& variables);
  bool built() const { return built_; }
  /// One step: every variable of build() with its gradient. Throws ValueError if counts differ.
  void apply(const Tensors& gradients);

  /// Keras's order: iteration, learning_rate, then slots; the first two alone before build().
  std::vector<Variable> variables() const override;

 protected:
  /// Throws ValueError unless the learning rate is finite and not negative.
  Optimizer(const std::string& class_name, double learning_rate);

  /// The slots of one variable, filled with zeros.
  virtual std::vector<Variable> make_slots(const Variable& variable) const = 0;
  /// What the gradients of one step are scaled by, computed once a step: the learning rate, or what
  /// the optimizer makes of it.
  virtual Tensor step_size() const { return learning_rate_; }
  virtual void update(const Variable& variable, const Tensor& gradient, const Tensor& step_size,
                      const std::vector<Variable>& slots) const = 0;
  /// A slot of the variable's shape and dtype.
  static Variable zeros_like(const Variable& variable, const std::string& name);

 private:
  std::string name_;
  Variable learning_rate_;
  Variable iterations_;
  bool built_ = false;
  std::vector<Variable> trained_;
  std::vector<std::vector<Variable>> slots_;
};

}  // namespace milgrad::nn
