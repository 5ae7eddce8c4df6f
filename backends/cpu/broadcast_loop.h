// How an elementwise kernel walks broadcast operands: few, long rows instead of single elements.
#pragma once

#include "backends/cpu/thread_pool.h"
#include "tensor/call.h"

#include <array>
#include <cstdint>

namespace milgrad::cpu {

/// The usual case, told without looking at shapes: each operand has all elements of the output, in
/// the same order, or one.
template <int N>
class FlatOperands {
 public:
  explicit FlatOperands(const Call& call) {
    const std::int64_t numel = call.out().numel;
    for (int i = 0; i < N; ++i) {
      const std::int64_t own = call.in(i).numel;
      flat_ = flat_ && (own == numel || own == 1);
      moving_ |= unsigned{own == numel} << i;
    }
  }
  explicit operator bool() const { return flat_; }
  bool moves(int i) const { return (moving_ >> i) & 1u; }
  /// Where operand i meets element `first` of the output.
  std::int64_t at(int i, std::int64_t first) const { return moves(i) ? first : 0; }

 private:
  bool flat_ = true;
  unsigned moving_ = 0;
};

/// A walk over the elements of `out` and of N operands that broadcast to it, in rows along which
/// every operand either moves with the output or stands still. Neighbouring axes on which all
/// operands behave alike are one axis, so that equal shapes give a single row.
template <int N>
class BroadcastLoop {
 public:
  using Offsets = std::array<std::int64_t, N>;

  BroadcastLoop(const Shape& out, const std::array<const Shape*, N>& operands) {
    unsigned previous = 0;
    for (int axis = out.rank() - 1; axis >= 0; --axis) {
      if (out[axis] == 1) continue;
      unsigned moving = 0;
      for (int i = 0; i < N; ++i) {
        const Shape& shape = *operands[at(i)];
        const int own = axis - (out.rank() - shape.rank());
        if (own >= 0 && shape[own] != 1) moving |= 1u << i;
      }
      if (rank_ > 0 && moving == previous)
        sizes_[at(rank_ - 1)] *= out[axis];
      else
        push_axis(out[axis], moving);
      previous = moving;
    }
    set_strides();
  }

  /// Elements of a row.
  std::int64_t length() const { return sizes_[0]; }
  std::int64_t rows() const { return rows_; }
  /// Whether operand i moves along a row; otherwise all of the row meets one element.
  bool moves(int i) const { return (moving_[0] >> i) & 1u; }

  /// Calls f(offset of the row in out, offsets of its operands) for the rows first..last-1.
  template <class F>
  void for_rows(std::int64_t first, std::int64_t last, const F& f) const {
    std::array<std::int64_t, kMaxRank> index{};
    Offsets offsets{};
    std::int64_t rest = first;
    for (int axis = 1; axis < rank_; ++axis) {
      index[at(axis)] = rest % sizes_[at(axis)];
      rest /= sizes_[at(axis)];
      for (int i = 0; i < N; ++i) offsets[at(i)] += index[at(axis)] * strides_[at(i)][at(axis)];
    }
    for (std::int64_t row = first; row < last; ++row) {
      f(row * length(), offsets);
      advance(index, offsets);
    }
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  void push_axis(Dim size, unsigned moving) {
    sizes_[at(rank_)] = size;
    moving_[at(rank_)] = moving;
    ++rank_;
  }

  void set_strides() {
    if (rank_ == 0) push_axis(1, 0);
    for (int i = 0; i < N; ++i) {
      std::int64_t stride = 1;
      for (int axis = 0; axis < rank_; ++axis) {
        const bool moves = (moving_[at(axis)] >> i) & 1u;
        strides_[at(i)][at(axis)] = moves ? stride : 0;
        if (moves) stride *= sizes_[at(axis)];
      }
    }
    for (int axis = 1; axis < rank_; ++axis) rows_ *= sizes_[at(axis)];
    if (sizes_[0] == 0) rows_ = 0;
  }

  void advance(std::array<std::int64_t, kMaxRank>& index, Offsets& offsets) const {
    for (int axis = 1; axis < rank_; ++axis) {
      for (int i = 0; i < N; ++i) offsets[at(i)] += strides_[at(i)][at(axis)];
      if (++index[at(axis)] < sizes_[at(axis)]) return;
      for (int i = 0; i < N; ++i) offsets[at(i)] -= sizes_[at(axis)] * strides_[at(i)][at(axis)];
      index[at(axis)] = 0;
    }
  }

  // Axes from the innermost, which is the row. Entries behind rank_ have no values.
  int rank_ = 0;
  std::int64_t rows_ = 1;
  std::array<std::int64_t, kMaxRank> sizes_;
  std::array<unsigned, kMaxRank> moving_;
  std::array<std::array<std::int64_t, kMaxRank>, N> strides_;
};

/// Calls f(offset in out, offsets of the operands, count) for stretches of rows that together are
/// all of the output, spread over the threads where that is worth it.
template <int N, class F>
void parallel_rows(const BroadcastLoop<N>& loop, const F& f) {
  if (loop.rows() != 1) {
    parallel_ranges(loop.rows(), loop.length(), [&](std::int64_t first, std::int64_t last) {
      loop.for_rows(first, last,
                    [&](std::int64_t out, const auto& at) { f(out, at, loop.length()); });
    });
    return;
  }
  parallel_ranges(loop.length(), 1, [&](std::int64_t first, std::int64_t last) {
    typename BroadcastLoop<N>::Offsets at;
    for (int i = 0; i < N; ++i) at[static_cast<std::size_t>(i)] = loop.moves(i) ? first : 0;
    f(first, at, last - first);
  });
}

}  // namespace milgrad::cpu
