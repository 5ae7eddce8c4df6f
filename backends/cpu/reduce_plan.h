// How a reduction walks over memory: neighbouring axes of one kind are merged, the innermost one is
// a contiguous run, and the others are counted up without dividing an index.
#pragma once

#include "tensor/shape.h"

#include <array>
#include <cstdint>

namespace milgrad::cpu {

/// Nested loops over the offsets of some axes, the axis added first fastest.
class Loops {
 public:
  /// Adds an axis around those added so far.
  void push_outer(std::int64_t size, std::int64_t stride) {
    sizes_[static_cast<std::size_t>(count_)] = size;
    strides_[static_cast<std::size_t>(count_)] = stride;
    ++count_;
    total_ *= size;
  }
  std::int64_t total() const { return total_; }

  /// Calls f(offset) for each combination from number `first` on, `count` of them.
  template <class F>
  void for_each(std::int64_t first, std::int64_t count, F&& f) const {
    if (count_ == 0) {  // one combination
      for (std::int64_t done = 0; done < count; ++done) f(std::int64_t{0});
      return;
    }
    std::array<std::int64_t, kMaxRank> index{};
    std::int64_t offset = 0, rest = first;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count_) && rest > 0; ++i) {
      index[i] = rest % sizes_[i];
      offset += index[i] * strides_[i];
      rest /= sizes_[i];
    }
    for (std::int64_t done = 0; done < count; ++done) {
      f(offset);
      for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
        offset += strides_[i];
        if (++index[i] < sizes_[i]) break;
        offset -= sizes_[i] * strides_[i];
        index[i] = 0;
      }
    }
  }

 private:
  // The innermost first; entries behind count_ have no values.
  std::array<std::int64_t, kMaxRank> sizes_;
  std::array<std::int64_t, kMaxRank> strides_;
  int count_ = 0;
  std::int64_t total_ = 1;
};

struct ReducePlan {
  Loops kept;                   // the outputs, in order, apart from the inner run
  Loops reduced;                // what each of them combines, apart from rows and the inner run
  std::int64_t rows = 1;        // the reduced axis next to the inner run: this many rows,
  std::int64_t row_stride = 0;  // so far apart
  std::int64_t inner = 1;       // length of the contiguous run
  bool inner_reduced = true;    // whether it is combined or kept

  /// `reduced_axes`: bit set over the axes of `shape`.
  ReducePlan(const Shape& shape, unsigned reduced_axes) {
    const auto is_reduced = [&](int axis) { return ((reduced_axes >> axis) & 1u) != 0; };
    std::int64_t stride = 1;
    bool first = true;
    for (int axis = shape.rank() - 1; axis >= 0;) {
      if (shape[axis] == 1) {
        --axis;
        continue;
      }
      const bool reduces = is_reduced(axis);
      std::int64_t size = 1;
      for (; axis >= 0 && (shape[axis] == 1 || is_reduced(axis) == reduces); --axis)
        size *= shape[axis];
      add_group(size, stride, reduces, first);
      stride *= size;
      first = false;
    }
  }

  /// Elements behind one output, or behind one run of them.
  std::int64_t work() const { return reduced.total() * rows * inner; }

 private:
  void add_group(std::int64_t size, std::int64_t stride, bool reduces, bool first) {
    if (first) {
      inner = size;
      inner_reduced = reduces;
    } else if (!reduces) {
      kept.push_outer(size, stride);
    } else if (row_stride == 0) {
      rows = size;
      row_stride = stride;
    } else {
      reduced.push_outer(size, stride);
    }
  }
};

/// An axis between the axes in front of it and behind it: x[outer][length][inner].
struct AxisView {
  std::int64_t outer = 1;
  std::int64_t length = 1;
  std::int64_t inner = 1;
  AxisView(const Shape& shape, int axis)
      : outer(shape.product(0, axis)),
        length(shape[axis]),
        inner(shape.product(axis + 1, shape.rank())) {}
};

}  // namespace milgrad::cpu
