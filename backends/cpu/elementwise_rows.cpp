// The walk over the rows of elementwise kernels, once for all of them.
#include "backends/cpu/elementwise_rows.h"

#include "backends/cpu/thread_pool.h"

#include <array>

namespace milgrad::cpu {
namespace {

// Rows shorter than this are put together into blocks, or most of the time would go into the ends.
constexpr std::int64_t kShortRow = 64;
constexpr std::int64_t kBlock = 512;

/// The operands of a call as bytes.
template <int N>
struct Bytes {
  explicit Bytes(const Call& call) : out(call.out().as<std::byte>()), out_size(size(call.out())) {
    for (int i = 0; i < N; ++i) {
      data[at(i)] = call.in(i).as<std::byte>();
      sizes[at(i)] = size(call.in(i));
    }
  }
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  static std::int64_t size(const auto& buffer) {
    return static_cast<std::int64_t>(size_of(buffer.dtype));
  }

  std::array<const std::byte*, N> data;
  std::array<std::int64_t, N> sizes;  // of an element
  std::byte* out;
  std::int64_t out_size;
};

template <class T>
void pack_as(const std::byte* from, bool moves, std::byte* to, std::int64_t count) {
  const T* x = reinterpret_cast<const T*>(from);
  T* y = reinterpret_cast<T*>(to);
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[moves ? i : 0];
}

/// `count` elements of `size` bytes one behind the other, wherever they come from.
void pack(std::int64_t size, const std::byte* from, bool moves, std::byte* to, std::int64_t count) {
  if (size == 1) return pack_as<std::uint8_t>(from, moves, to, count);
  if (size == 4) return pack_as<std::uint32_t>(from, moves, to, count);
  pack_as<std::uint64_t>(from, moves, to, count);
}

template <int N>
void map_short_rows(const BroadcastLoop<N>& loop, const Bytes<N>& bytes, RowFunction row,
                    const void* f) {
  const std::int64_t length = loop.length();
  parallel_ranges(loop.rows(), length, [&](std::int64_t first, std::int64_t last) {
    alignas(64) std::byte blocks[N][kBlock * sizeof(std::uint64_t)];
    std::array<RowOperand, N> operands;
    for (int i = 0; i < N; ++i) operands[bytes.at(i)] = {blocks[i], true};
    std::byte* to = bytes.out + first * length * bytes.out_size;
    std::int64_t filled = 0;
    const auto flush = [&] {
      row(f, operands.data(), to, filled);
      to += filled * bytes.out_size;
      filled = 0;
    };
    loop.for_rows(first, last, [&](std::int64_t, const auto& offsets) {
      if (filled + length > kBlock) flush();
      for (int i = 0; i < N; ++i) {
        const std::int64_t size = bytes.sizes[bytes.at(i)];
        pack(size, bytes.data[bytes.at(i)] + offsets[bytes.at(i)] * size, loop.moves(i),
             blocks[i] + filled * size, length);
      }
      filled += length;
    });
    flush();
  });
}

template <int N>
void spread_rows(const Call& call, RowFunction row, const void* f) {
  const Bytes<N> bytes(call);
  if (const FlatOperands<N> flat(call); flat) {
    parallel_ranges(call.out().numel, 1, [&](std::int64_t first, std::int64_t last) {
      std::array<RowOperand, N> operands;
      for (int i = 0; i < N; ++i) {
        const std::size_t at = bytes.at(i);
        operands[at] = {bytes.data[at] + flat.at(i, first) * bytes.sizes[at], flat.moves(i)};
      }
      row(f, operands.data(), bytes.out + first * bytes.out_size, last - first);
    });
    return;
  }
  std::array<const Shape*, N> shapes;
  for (int i = 0; i < N; ++i) shapes[bytes.at(i)] = &call.in(i).shape;
  const BroadcastLoop<N> loop(call.out().shape, shapes);
  if (loop.rows() > 1 && loop.length() < kShortRow) return map_short_rows(loop, bytes, row, f);
  parallel_rows(loop, [&](std::int64_t to, const auto& offsets, std::int64_t count) {
    std::array<RowOperand, N> operands;
    for (int i = 0; i < N; ++i) {
      const std::size_t at = bytes.at(i);
      operands[at] = {bytes.data[at] + offsets[at] * bytes.sizes[at], loop.moves(i)};
    }
    row(f, operands.data(), bytes.out + to * bytes.out_size, count);
  });
}

}  // namespace

void map_many_rows(const Call& call, RowFunction row, const void* f) {
  switch (call.inputs.size()) {
    case 1:
      return spread_rows<1>(call, row, f);
    case 2:
      return spread_rows<2>(call, row, f);
    default:
      return spread_rows<3>(call, row, f);
  }
}

}  // namespace milgrad::cpu
