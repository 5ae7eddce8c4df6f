// What a kernel gets: views of contiguous memory, attributes, scratch memory and a stream.
#pragma once

#include "tensor/attrs.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace milgrad {

/// Contiguous elements of a tensor. Inputs are read only, but for those an op `mutates`.
struct View {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::float32;
  std::int64_t numel = 0;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  /// The first element, such as a scalar's only one.
  double number() const {
    return visit_dtype(dtype, [&]<class T>() { return static_cast<double>(*as<T>()); });
  }
};

/// Kernels are pure: they never allocate tensors, synchronise or read back, so that a plan or a
/// CUDA Graph can own their calls.
struct Call {
  std::span<const View> inputs;
  std::span<const View> outputs;
  const Attrs& attrs;
  std::byte* workspace = nullptr;
  void* stream = nullptr;

  const View& in(int i) const { return inputs[static_cast<std::size_t>(i)]; }
  const View& out(int i = 0) const { return outputs[static_cast<std::size_t>(i)]; }
  template <class A>
  const A& get() const {
    return std::get<A>(attrs);
  }
};

using Kernel = void (*)(const Call&);

}  // namespace milgrad
