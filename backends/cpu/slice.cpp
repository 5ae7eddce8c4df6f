// Kernels that cut tensors apart and join them along one axis: [outer, size, inner] in rows.
#include "backends/cpu/strided_copy.h"
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"

#include <algorithm>
#include <cstring>

namespace milgrad::cpu {
namespace {

std::byte* bytes_of(const View& view) { return static_cast<std::byte*>(view.data); }

/// Copies `rows` rows of `bytes` bytes between memory with the given distances of rows.
void copy_rows(const std::byte* from, std::size_t from_stride, std::byte* to, std::size_t to_stride,
               std::int64_t rows, std::size_t bytes) {
  if (bytes == 0) return;
  for (std::int64_t row = 0; row < rows; ++row)
    std::memcpy(to + static_cast<std::size_t>(row) * to_stride,
                from + static_cast<std::size_t>(row) * from_stride, bytes);
}

/// Neighbouring positions of a few elements, without a walk over strides.
bool take_few(const Call& call, const SliceAttrs& range) {
  const View &x = call.in(0), &out = call.out();
  if (range.step != 1 || out.numel >= kTileElements) return false;
  const auto inner =
      static_cast<std::size_t>(x.shape.product(range.axis + 1, x.shape.rank())) * size_of(x.dtype);
  const auto row = static_cast<std::size_t>(out.shape[range.axis]) * inner;
  copy_rows(bytes_of(x) + static_cast<std::size_t>(range.start) * inner,
            static_cast<std::size_t>(x.shape[range.axis]) * inner, bytes_of(out), row,
            x.shape.product(0, range.axis), row);
  return true;
}

void take_range(const Call& call) {
  const auto& range = call.get<SliceAttrs>();
  if (take_few(call, range)) return;
  const Shape& to = call.out().shape;
  const auto strides = row_major_strides(call.in(0).shape);
  StridedView view;
  for (int axis = 0; axis < to.rank(); ++axis)
    view.push_back(to[axis], strides[static_cast<std::size_t>(axis)]);
  const auto axis = static_cast<std::size_t>(range.axis);
  view.offset = range.start * strides[axis];
  view.strides[axis] *= range.step;
  strided_copy(view, call.in(0).data, call.out().data, size_of(call.out().dtype));
}

/// Writes x into the positions start, start + step, .. of one axis of the output.
void put_range(const View& x, const View& out, int axis, Dim start, Dim step) {
  const Shape &from = x.shape, &to = out.shape;
  const auto inner =
      static_cast<std::size_t>(from.product(axis + 1, from.rank())) * size_of(x.dtype);
  const std::int64_t outer = from.product(0, axis);
  const auto from_row = static_cast<std::size_t>(from[axis]) * inner;
  const auto to_row = static_cast<std::size_t>(to[axis]) * inner;
  std::byte* first = bytes_of(out) + static_cast<std::size_t>(start) * inner;
  if (step == 1) {
    copy_rows(bytes_of(x), from_row, first, to_row, outer, from_row);
    return;
  }
  for (std::int64_t row = 0; row < outer; ++row)
    copy_rows(bytes_of(x) + static_cast<std::size_t>(row) * from_row, inner,
              first + static_cast<std::size_t>(row) * to_row,
              static_cast<std::size_t>(step) * inner, from[axis], inner);
}

}  // namespace

void slice(const Call& call) { take_range(call); }
void slice_like(const Call& call) { take_range(call); }

void pad(const Call& call) {
  const auto& attrs = call.get<PadAttrs>();
  visit_dtype(call.out().dtype, [&]<class T>() {
    std::fill_n(call.out().as<T>(), call.out().numel, static_cast<T>(attrs.value));
  });
  put_range(call.in(0), call.out(), attrs.axis, attrs.before, 1);
}

void pad_like(const Call& call) {
  const auto& range = call.get<SliceAttrs>();
  std::memset(call.out().data, 0,
              static_cast<std::size_t>(call.out().numel) * size_of(call.out().dtype));
  put_range(call.in(0), call.out(), range.axis, range.start, range.step);
}

void concat(const Call& call) {
  const int axis = call.get<AxisAttrs>().axis;
  Dim start = 0;
  for (const View& part : call.inputs) {
    put_range(part, call.out(), axis, start, 1);
    start += part.shape[axis];
  }
}

void stack(const Call& call) {
  const int axis = call.get<AxisAttrs>().axis;
  const View& joined = call.out();
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    View part = call.inputs[i];
    part.shape = joined.shape;
    part.shape[axis] = 1;
    put_range(part, joined, axis, static_cast<Dim>(i), 1);
  }
}

namespace {

/// Cuts x along the axis into outputs that hold so many positions each.
template <class Positions>
void cut(const Call& call, const Positions& positions) {
  const int axis = call.get<AxisAttrs>().axis;
  const View& x = call.in(0);
  const auto inner =
      static_cast<std::size_t>(x.shape.product(axis + 1, x.shape.rank())) * size_of(x.dtype);
  const std::byte* from = bytes_of(x);
  for (const View& part : call.outputs) {
    const auto row = static_cast<std::size_t>(positions(part)) * inner;
    copy_rows(from, static_cast<std::size_t>(x.shape[axis]) * inner, bytes_of(part), row,
              x.shape.product(0, axis), row);
    from += row;
  }
}

}  // namespace

void split_like(const Call& call) {
  cut(call, [axis = call.get<AxisAttrs>().axis](const View& part) { return part.shape[axis]; });
}

void unstack(const Call& call) {
  cut(call, [](const View&) { return Dim{1}; });
}

}  // namespace milgrad::cpu
