// Kernels that select elements by index tensors.
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"
#include "tensor/error.h"

#include <cstring>

#include <fmt/format.h>

namespace milgrad::cpu {
namespace {

/// Calls f.template operator()<I>() for the integer type of an index tensor.
template <class F>
void visit_index(DType dtype, F&& f) {
  if (dtype == DType::int32)
    f.template operator()<std::int32_t>();
  else
    f.template operator()<std::int64_t>();
}

template <class I>
void check_indices(const char* op, const View& indices, Dim size) {
  for (std::int64_t i = 0; i < indices.numel; ++i) {
    const auto index = static_cast<std::int64_t>(indices.as<I>()[i]);
    if (index < 0 || index >= size)
      throw ValueError(fmt::format("[{}] index {} at position {} of indices {} is out of range for "
                                   "an axis of size {}",
                                   op, index, i, indices.shape.to_string(), size),
                       size > 0 ? fmt::format("use 0..{}", size - 1) : "");
  }
}

}  // namespace

void gather(const Call& call) {
  const View &x = call.in(0), &indices = call.in(1);
  const int axis = call.get<AxisAttrs>().axis;
  const Dim size = x.shape[axis];
  const std::int64_t outer = x.shape.product(0, axis);
  const auto row =
      static_cast<std::size_t>(x.shape.product(axis + 1, x.shape.rank())) * size_of(x.dtype);
  const std::byte* from = static_cast<const std::byte*>(x.data);
  std::byte* to = static_cast<std::byte*>(call.out().data);
  visit_index(indices.dtype, [&]<class I>() {
    check_indices<I>("gather", indices, size);
    const std::int64_t count = indices.numel;
    const auto weight = static_cast<std::int64_t>(row / size_of(x.dtype)) + 1;
    parallel_ranges(outer * count, weight, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t position = i / count * size + indices.as<I>()[i % count];
        std::memcpy(to + static_cast<std::size_t>(i) * row,
                    from + static_cast<std::size_t>(position) * row, row);
      }
    });
  });
}

void scatter_add_like(const Call& call) {
  const View &updates = call.in(0), &indices = call.in(1), &out = call.out();
  const int axis = call.get<AxisAttrs>().axis;
  const Dim size = out.shape[axis];
  const std::int64_t outer = out.shape.product(0, axis);
  const std::int64_t row = out.shape.product(axis + 1, out.shape.rank());
  std::memset(out.data, 0, static_cast<std::size_t>(out.numel) * size_of(out.dtype));
  visit_index(indices.dtype, [&]<class I>() {
    check_indices<I>("scatter_add_like", indices, size);
    visit_dtype(out.dtype, [&]<class T>() {
      const T* from = updates.as<T>();
      for (std::int64_t block = 0; block < outer; ++block)
        for (std::int64_t i = 0; i < indices.numel; ++i, from += row) {
          T* to = out.as<T>() + (block * size + indices.as<I>()[i]) * row;
          for (std::int64_t j = 0; j < row; ++j) to[j] = static_cast<T>(to[j] + from[j]);
        }
    });
  });
}

void one_hot(const Call& call) {
  const View &indices = call.in(0), &out = call.out();
  const Dim classes = call.get<OneHotAttrs>().classes;
  std::memset(out.data, 0, static_cast<std::size_t>(out.numel) * size_of(out.dtype));
  visit_index(indices.dtype, [&]<class I>() {
    visit_dtype(out.dtype, [&]<class T>() {
      for (std::int64_t i = 0; i < indices.numel; ++i) {
        const auto index = static_cast<std::int64_t>(indices.as<I>()[i]);
        if (index >= 0 && index < classes) out.as<T>()[i * classes + index] = T{1};
      }
    });
  });
}

}  // namespace milgrad::cpu
