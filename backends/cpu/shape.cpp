// Kernels of the operations that change the shape or the order of elements.
#include "backends/cpu/broadcast_loop.h"
#include "backends/cpu/strided_copy.h"
#include "backends/kernel_table.h"

#include <algorithm>
#include <cstring>

namespace milgrad::cpu {
namespace {

/// Operations that keep the order of the elements: an alias in eager mode, a copy in programs.
void copy_elements(const Call& call) {
  std::memcpy(call.out().data, call.in(0).data,
              static_cast<std::size_t>(call.out().numel) * size_of(call.out().dtype));
}

template <class T>
void broadcast(const Call& call) {
  const T* from = call.in(0).as<const T>();
  T* to = call.out().as<T>();
  const auto write_row = [](const T* x, bool moves, T* y, std::int64_t count) {
    moves ? std::copy_n(x, count, y) : std::fill_n(y, count, *x);
  };
  if (const FlatOperands<1> flat(call); flat) {
    parallel_ranges(call.out().numel, 1, [&](std::int64_t first, std::int64_t last) {
      write_row(from + flat.at(0, first), flat.moves(0), to + first, last - first);
    });
    return;
  }
  const BroadcastLoop<1> loop(call.out().shape, {&call.in(0).shape});
  parallel_rows(loop, [&](std::int64_t out, const auto& at, std::int64_t count) {
    write_row(from + at[0], loop.moves(0), to + out, count);
  });
}

void broadcast(const Call& call) {
  switch (size_of(call.out().dtype)) {
    case 1:
      return broadcast<std::uint8_t>(call);
    case 4:
      return broadcast<std::uint32_t>(call);
    default:
      return broadcast<std::uint64_t>(call);
  }
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
