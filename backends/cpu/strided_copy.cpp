// The strided copy: axes that walk together are merged first, then rows are copied, filled or, for
// transposes, moved in square tiles.
#include "backends/cpu/strided_copy.h"

#include "backends/cpu/thread_pool.h"

#include <algorithm>
#include <cstring>

namespace milgrad::cpu {
namespace {

/// Tiles of a transpose: 16 cache lines of 16 floats.
constexpr std::int64_t kTile = 16;

/// Drops axes of size 1 and merges neighbours that one stride can walk.
StridedView merged(const StridedView& view) {
  StridedView result;
  result.offset = view.offset;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(view.rank); ++axis) {
    const std::int64_t size = view.sizes[axis], stride = view.strides[axis];
    if (size == 1) continue;
    if (result.rank > 0) {
      const auto last = static_cast<std::size_t>(result.rank - 1);
      if (result.strides[last] == stride * size) {
        result.sizes[last] *= size;
        result.strides[last] = stride;
        continue;
      }
    }
    result.push_back(size, stride);
  }
  if (result.rank == 0) result.push_back(1, 1);
  return result;
}

template <class T>
void copy_row(const T* from, T* to, std::int64_t size, std::int64_t stride) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(size) * sizeof(T));
  } else if (stride == 0) {
    std::fill_n(to, size, *from);
  } else {
    for (std::int64_t i = 0; i < size; ++i) to[i] = from[i * stride];
  }
}

/// block[i][j] = from[i + j * from_stride], then rows of the block go out: cache lines are read and
/// written whole, whatever the strides.
template <class T>
void transpose_tile(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                    std::int64_t rows, std::int64_t columns) {
  T block[kTile][kTile];
  if (rows == kTile && columns == kTile) {
    for (std::int64_t j = 0; j < kTile; ++j)
      for (std::int64_t i = 0; i < kTile; ++i) block[i][j] = from[i + j * from_stride];
    for (std::int64_t i = 0; i < kTile; ++i)
      std::memcpy(to + i * to_stride, block[i], sizeof(block[i]));
    return;
  }
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) to[i * to_stride + j] = from[i + j * from_stride];
}

/// to[i * to_stride + j] = from[i + j * from_stride] for rows x columns, tile by tile.
template <class T>
void transpose_tiles(const T* from, T* to, std::int64_t rows, std::int64_t columns,
                     std::int64_t from_stride, std::int64_t to_stride) {
  for (std::int64_t i = 0; i < rows; i += kTile)
    for (std::int64_t j = 0; j < columns; j += kTile)
      transpose_tile(from + i + j * from_stride, from_stride, to + i * to_stride + j, to_stride,
                     std::min(kTile, rows - i), std::min(kTile, columns - j));
}

/// Calls visit(from_offset, to_offset) for every index of the axes but the skipped ones.
template <class Visit>
void for_each_row(const StridedView& view, int skip_a, int skip_b, const Visit& visit) {
  std::array<std::int64_t, kMaxRank> index{}, to_strides{};
  std::int64_t stride = 1;
  for (int axis = view.rank - 1; axis >= 0; --axis) {
    to_strides[static_cast<std::size_t>(axis)] = stride;
    stride *= view.sizes[static_cast<std::size_t>(axis)];
  }
  std::int64_t from = view.offset, to = 0;
  for (;;) {
    visit(from, to);
    int axis = view.rank - 1;
    for (; axis >= 0; --axis) {
      if (axis == skip_a || axis == skip_b) continue;
      const auto a = static_cast<std::size_t>(axis);
      from += view.strides[a];
      to += to_strides[a];
      if (++index[a] < view.sizes[a]) break;
      from -= view.strides[a] * view.sizes[a];
      to -= to_strides[a] * view.sizes[a];
      index[a] = 0;
    }
    if (axis < 0) return;
  }
}

template <class T>
void copy_elements(const StridedView& view, const T* from, T* to) {
  const auto last = static_cast<std::size_t>(view.rank - 1);
  const auto begin = view.strides.begin();
  const auto unit = std::find(begin, begin + view.rank, 1);
  if (view.strides[last] > 1 && unit != begin + view.rank) {
    const auto axis = static_cast<std::size_t>(unit - begin);
    std::int64_t to_stride = 1;
    for (std::size_t a = axis + 1; a <= last; ++a) to_stride *= view.sizes[a];
    for_each_row(view, static_cast<int>(axis), view.rank - 1,
                 [&](std::int64_t from_offset, std::int64_t to_offset) {
                   transpose_tiles(from + from_offset, to + to_offset, view.sizes[axis],
                                   view.sizes[last], view.strides[last], to_stride);
                 });
    return;
  }
  for_each_row(view, view.rank - 1, -1, [&](std::int64_t from_offset, std::int64_t to_offset) {
    copy_row(from + from_offset, to + to_offset, view.sizes[last], view.strides[last]);
  });
}

}  // namespace

std::array<std::int64_t, kMaxRank> row_major_strides(const Shape& shape) {
  std::array<std::int64_t, kMaxRank> strides{};
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

namespace {

/// Shares the outermost axis out over the threads, in pieces of whole tiles.
template <class T>
void copy_ranges(const StridedView& walk, const void* from, void* to) {
  std::int64_t row = 1;
  for (std::size_t axis = 1; axis < static_cast<std::size_t>(walk.rank); ++axis)
    row *= walk.sizes[axis];
  const std::int64_t size = walk.sizes[0], pieces = (size + kTile - 1) / kTile;
  parallel_ranges(pieces, kTile * row, [&](std::int64_t first, std::int64_t last) {
    StridedView part = walk;
    part.offset += first * kTile * walk.strides[0];
    part.sizes[0] = std::min(size, last * kTile) - first * kTile;
    copy_elements(part, static_cast<const T*>(from), static_cast<T*>(to) + first * kTile * row);
  });
}

}  // namespace

void strided_copy(const StridedView& view, const void* from, void* to, std::size_t element_bytes) {
  for (int axis = 0; axis < view.rank; ++axis)
    if (view.sizes[static_cast<std::size_t>(axis)] == 0) return;
  const StridedView walk = merged(view);
  if (element_bytes == 1)
    copy_ranges<std::uint8_t>(walk, from, to);
  else if (element_bytes == 4)
    copy_ranges<std::uint32_t>(walk, from, to);
  else
    copy_ranges<std::uint64_t>(walk, from, to);
}

}  // namespace milgrad::cpu
