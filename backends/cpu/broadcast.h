// Index arithmetic for broadcast operands.
#pragma once

#include "tensor/shape.h"

namespace milgrad::cpu {

/// Maps a linear index of the shape `to` onto the linear index of an operand of shape `from` that
/// was broadcast to it.
class BroadcastIndex {
 public:
  BroadcastIndex(const Shape& from, const Shape& to) : rank_(to.rank()) {
    const int shift = to.rank() - from.rank();
    std::int64_t stride = 1;
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      sizes_[static_cast<std::size_t>(axis)] = to[axis];
      const Dim size = axis >= shift ? from[axis - shift] : 1;
      strides_[static_cast<std::size_t>(axis)] = size == 1 ? 0 : stride;
      stride *= size;
    }
  }

  std::int64_t operator()(std::int64_t index) const {
    std::int64_t result = 0;
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      result += index % sizes_[a] * strides_[a];
      index /= sizes_[a];
    }
    return result;
  }

 private:
  int rank_;
  std::array<std::int64_t, kMaxRank> sizes_{};
  std::array<std::int64_t, kMaxRank> strides_{};
};

}  // namespace milgrad::cpu
