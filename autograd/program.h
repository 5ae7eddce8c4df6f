// Program: a graph as a flat list of kernel calls over one arena, replayed without looking anything
// up.
#pragma once

#include "autograd/graph.h"
#include "autograd/passes/pass.h"
#include "autograd/plan.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace milgrad {

struct ProgramOptions {
  /// Which passes rewrite the graph; by default all but those that MILGRAD_PASSES turns off.
  PassOptions passes = PassOptions::from_environment();
  PlanOptions plan = {};
};

/// Told what a replay does, call by call; see profile.h.
class ReplayObserver {
 public:
  virtual ~ReplayObserver() = default;
  virtual void before(std::size_t call) = 0;
  virtual void after(std::size_t call) = 0;
};

/// What a function of tensors does, compiled. Variables are read and written where they are, so
/// that whatever changes one between two replays (an assignment, loaded weights, a callback that
/// sets the learning rate) takes effect in the next. Not differentiable: compile the function that
/// calls grad(). One thread at a time may replay a program.
class Program {
 public:
  /// Rewrites the graph by the passes. Nothing runs.
  explicit Program(Graph graph, const ProgramOptions& options = {});
  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;

  /// Runs on these arguments and returns copies of the outputs. Arguments are read where they lie.
  /// Throws ShapeError for shapes and dtypes other than the graph's.
  Tensors operator()(const Tensors& arguments);
  /// The same without copies: the outputs are overwritten by the next replay. After the first
  /// replay for a shape nothing is allocated.
  std::span<const Tensor> replay(std::span<const Tensor> arguments,
                                 ReplayObserver* observer = nullptr);

  /// The graph as the passes left it.
  const Graph& graph() const;
  /// One line per kernel call that a replay for the latest shapes makes: name, shapes, places.
  std::string to_string() const;
  /// Calls of the latest replay, as numbers in graph().operations.
  std::span<const int> calls() const;
  /// Shapes and dtypes of all values in the latest replay.
  const std::vector<Spec>& specs() const;
  const Plan& plan() const;

 private:
  struct Binding;
  Binding& bind(std::span<const Tensor> arguments);

  Graph graph_;
  PlanOptions plan_options_;
  Tensor arena_;                                    // grows by half when a shape needs more
  std::vector<std::unique_ptr<Binding>> bindings_;  // by shapes of the arguments, latest first
};

}  // namespace milgrad
