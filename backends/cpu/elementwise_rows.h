// How an elementwise kernel reaches the elements: it is a function of one row, called for all rows
// of broadcast operands, over the threads.
#pragma once

#include "backends/cpu/broadcast_loop.h"

namespace milgrad::cpu {

/// An operand along a row; one that does not move is a single element.
struct RowOperand {
  const void* data = nullptr;
  bool moves = true;

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

/// out[i] = f(operands[0][i], operands[1][i], ..) for `count` elements; `f` is the kernel's own.
using RowFunction = void (*)(const void* f, const RowOperand* operands, void* out,
                             std::int64_t count);

/// The same for any operands, over the threads where that is worth it.
void map_many_rows(const Call& call, RowFunction row, const void* f);

/// Calls `row` until all of the output is written. The call has N operands, at most three, which
/// broadcast to the output.
template <int N>
void map_rows(const Call& call, RowFunction row, const void* f = nullptr) {
  const FlatOperands<N> flat(call);
  if (!flat || !is_one_range(call.out().numel)) return map_many_rows(call, row, f);
  RowOperand operands[N];
  for (int i = 0; i < N; ++i) operands[i] = {call.in(i).data, flat.moves(i)};
  row(f, operands, call.out().data, call.out().numel);
}

}  // namespace milgrad::cpu
