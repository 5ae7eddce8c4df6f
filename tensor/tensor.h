// Tensor: a contiguous n-dimensional array, possibly tracked for gradients or traced in a graph.
#pragma once

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace milgrad {

struct Node;

/// The place in the tape where a tensor comes from: output `index` of `node`; a leaf (a variable
/// or a tensor made by requires_grad) has a node without an operation. Empty: not tracked.
struct Edge {
  std::shared_ptr<Node> node;
  int index = 0;
  explicit operator bool() const { return node != nullptr; }
  bool operator==(const Edge&) const = default;
};

/// The value of a graph that a tensor stands for while a function is traced; trace 0: none.
struct TraceValue {
  std::uint64_t trace = 0;
  std::int64_t value = -1;
};

/// Shape and dtype of a tensor that need not exist yet.
struct Spec {
  Shape shape;
  DType dtype = DType::float32;
  bool operator==(const Spec&) const = default;
  /// "float32 (2, 5)"
  std::string to_string() const;
};

/// What a tensor consists of, apart from its place on the tape.
struct TensorParts {
  std::shared_ptr<Storage> storage = {};  // null: abstract (traced, or a value nobody saved)
  std::size_t byte_offset = 0;
  Spec spec = {};
  Device device = {};
  TraceValue trace = {};
};

class Tensor {
 public:
  /// An undefined tensor; as a cotangent it stands for zero.
  Tensor() = default;

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  int rank() const { return shape().rank(); }
  /// Size along `axis`, which may be negative.
  Dim size(int axis) const;
  std::int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Device device() const;
  const Spec& spec() const;

  /// Whether it has memory; a traced tensor and a value no gradient rule asked for have none.
  bool has_storage() const;
  bool requires_grad() const;
  const Edge& edge() const;
  TraceValue trace_value() const;

  /// The elements, row-major. Throws TraceError under a trace, DTypeError for another T.
  template <class T>
  std::span<const T> data() const {
    check_host_access(dtype_of<T>());
    return {reinterpret_cast<const T*>(raw_data()), static_cast<std::size_t>(numel())};
  }
  template <class T>
  std::vector<T> to_vector() const {
    const auto values = data<T>();
    return std::vector<T>(values.begin(), values.end());
  }
  /// The single element, converted to T; throws ShapeError when there are more or none.
  template <class T = double>
  T item() const {
    check_item();
    return visit_dtype(dtype(), [&]<class U>() { return static_cast<T>(*data<U>().data()); });
  }
  /// Address of the first element, without checks; for kernels and the funnel.
  std::byte* raw_data() const;
  const std::shared_ptr<Storage>& storage() const;

  /// The same elements outside of the tape: no gradient flows through the result.
  Tensor stop_gradient() const;

  // The funnel, the tape and tracers build tensors from these.
  static Tensor empty(const Spec& spec, Device device = Device::cpu());
  static Tensor alias(const Tensor& source, const Spec& spec, std::size_t byte_offset);
  static Tensor abstract(const Spec& spec, Device device = Device::cpu());
  static Tensor from_parts(TensorParts parts, Edge edge = {});
  const TensorParts& parts() const;
  Tensor with_edge(Edge edge) const;
  Tensor with_trace(TraceValue value) const;
  /// Puts a tensor that nobody else holds yet on the tape.
  void attach(Edge edge);

 private:
  struct Impl;
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const;
  void check_host_access(DType wanted) const;
  void check_item() const;

  std::shared_ptr<Impl> impl_;  // never changed once shared
};

using Tensors = std::vector<Tensor>;

/// A leaf of the tape over the same elements: grad() can be asked for it. Floating dtypes only.
Tensor requires_grad(const Tensor& x);

/// Copies `values` (row-major) into a new CPU tensor; throws ShapeError when the count differs.
template <class T>
Tensor tensor(std::span<const T> values, const Shape& shape);
template <class T>
Tensor tensor(const std::vector<T>& values, const Shape& shape) {
  return tensor(std::span<const T>(values), shape);
}
template <class T>
Tensor tensor(std::initializer_list<T> values) {
  return tensor(std::span<const T>(values.begin(), values.size()),
                Shape{static_cast<Dim>(values.size())});
}

/// A tensor of rank 0; the number must be exactly representable for integer dtypes.
Tensor scalar(double value, DType dtype = DType::float32);
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape, DType dtype = DType::float32);
/// start, start + step, ... before stop, upwards or (step < 0) downwards. Throws ValueError for a
/// step of 0, for numbers that are not finite, and for those that the dtype cannot hold.
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::float32);

/// The elements in nested brackets as NumPy prints them, long axes shortened.
std::string to_string(const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace milgrad
