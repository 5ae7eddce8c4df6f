// Thread-local modes of the funnel: whether gradients are tracked, who records, and which layer
// is running (for error messages).
#pragma once

#include "tensor/attrs.h"
#include "tensor/op.h"
#include "tensor/tensor.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad {

/// Whoever turns operations into something else than computing them: a tracer that appends nodes,
/// or shape inference. While one is active on a thread, apply() only infers and asks it.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// Identifies the trace; tensors of another one are refused by apply().
  virtual std::uint64_t id() const = 0;
  /// Appends the operation and returns its traced outputs, without storage.
  virtual Tensors record(Op op, const Attrs& attrs, std::span<const Tensor> inputs,
                         std::span<const Spec> outputs) = 0;
  /// "softmax, node 12, layer alpha": for errors about a traced value.
  virtual std::string describe(std::int64_t value) const = 0;
  /// How many recorded operations change this memory; if any does, its elements are not what they
  /// will be when the graph runs.
  virtual std::uint64_t overwritten(const Storage& /*storage*/) const { return 0; }
};

/// Keeps what a trace that ends says of its values, one text each, for errors about tensors that
/// outlive it. The latest traces alone are remembered.
void remember_trace(std::uint64_t trace, std::vector<std::string> descriptions);
/// "softmax, node 12, layer alpha" for a value of a trace that has ended; "" if it was forgotten.
std::string describe_ended(TraceValue value);

/// The recorder of this thread, or null: operations are computed.
Recorder* current_recorder();

/// Makes `recorder` current while it lives (null: compute again).
class RecorderScope {
 public:
  explicit RecorderScope(Recorder* recorder);
  ~RecorderScope();
  RecorderScope(const RecorderScope&) = delete;
  RecorderScope& operator=(const RecorderScope&) = delete;

 private:
  Recorder* previous_;
};

bool grad_enabled();

/// While it lives, no operation of this thread is put on the tape.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

/// Puts operations on the tape again while it lives, inside of a NoGrad.
class EnableGrad {
 public:
  EnableGrad();
  ~EnableGrad();
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool previous_;
};

/// Names the layer that runs; scopes nest into a path such as "encoder/dense".
class NameScope {
 public:
  explicit NameScope(std::string_view name);
  ~NameScope();
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;

 private:
  std::size_t previous_length_;
};
const std::string& current_scope();

}  // namespace milgrad
