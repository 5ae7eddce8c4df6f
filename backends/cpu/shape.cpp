// Kernels of the operations that change the shape or the order of elements.
#include "backends/cpu/strided_copy.h"
#include "backends/kernel_table.h"

#include <cstring>

namespace milgrad::cpu {
namespace {

/// Operations that keep the order of the elements: an alias in eager mode, a copy in programs.
void copy_elements(const Call& call) {
  std::memcpy(call.out().data, call.in(0).data,
              static_cast<std::size_t>(call.out().numel) * size_of(call.out().dtype));
}

void broadcast(const Call& call) {
  const Shape &from = call.in(0).shape, &to = call.out().shape;
  const auto strides = row_major_strides(from);
  const int shift = to.rank() - from.rank();
  StridedView view;
  for (int axis = 0; axis < to.rank(); ++axis) {
    const bool repeated = axis < shift || from[axis - shift] == 1;
    view.push_back(to[axis], repeated ? 0 : strides[static_cast<std::size_t>(axis - shift)]);
  }
  strided_copy(view, call.in(0).data, call.out().data, size_of(call.out().dtype));
}

}  // namespace

void copy(const Call& call) { copy_elements(call); }
void reshape(const Call& call) { copy_elements(call); }
void reshape_like(const Call& call) { copy_elements(call); }
void flatten(const Call& call) { copy_elements(call); }
void expand_dims(const Call& call) { copy_elements(call); }
void squeeze(const Call& call) { copy_elements(call); }
void broadcast_to(const Call& call) { broadcast(call); }
void broadcast_like(const Call& call) { broadcast(call); }

void transpose(const Call& call) {
  const auto strides = row_major_strides(call.in(0).shape);
  StridedView view;
  for (Dim axis : call.get<AxesAttrs>().axes)
    view.push_back(call.in(0).shape[static_cast<int>(axis)],
                   strides[static_cast<std::size_t>(axis)]);
  strided_copy(view, call.in(0).data, call.out().data, size_of(call.out().dtype));
}

void flip(const Call& call) {
  const Shape& shape = call.in(0).shape;
  const auto strides = row_major_strides(shape);
  StridedView view;
  for (int axis = 0; axis < shape.rank(); ++axis)
    view.push_back(shape[axis], strides[static_cast<std::size_t>(axis)]);
  for (Dim axis : call.get<AxesAttrs>().axes) {
    std::int64_t& stride = view.strides[static_cast<std::size_t>(axis)];
    view.offset += (shape[static_cast<int>(axis)] - 1) * stride;
    stride = -stride;
  }
  strided_copy(view, call.in(0).data, call.out().data, size_of(call.out().dtype));
}

}  // namespace milgrad::cpu
