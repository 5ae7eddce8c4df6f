// The shared state behind a Tensor handle; private to tensor/.
#pragma once

#include "tensor/tensor.h"

namespace milgrad {

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;  // null: abstract (traced, or a value nobody saved)
  std::size_t byte_offset = 0;
  Shape shape;
  DType dtype = DType::float32;
  Device device;
  Edge edge;
  TraceValue trace;
};

}  // namespace milgrad
