// Copies a strided view (transposed, broadcast, reversed, stepped) into contiguous memory.
#pragma once

#include "tensor/call.h"

#include <array>

namespace milgrad::cpu {

/// How the axes of a contiguous output walk through an input: `offset` and strides in elements; a
/// stride of 0 repeats, a negative one reverses.
struct StridedView {
  int rank = 0;
  std::int64_t offset = 0;
  std::array<std::int64_t, kMaxRank> sizes{};
  std::array<std::int64_t, kMaxRank> strides{};

  void push_back(std::int64_t size, std::int64_t stride) {
    sizes[static_cast<std::size_t>(rank)] = size;
    strides[static_cast<std::size_t>(rank)] = stride;
    ++rank;
  }
};

/// The row-major strides of a shape.
std::array<std::int64_t, kMaxRank> row_major_strides(const Shape& shape);

/// to[i0, i1, ..] = from[offset + i0 * stride0 + i1 * stride1 + ..], for elements of any type.
void strided_copy(const StridedView& view, const void* from, void* to, std::size_t element_bytes);

}  // namespace milgrad::cpu
