// The kernel of a chain: tiles over its shape, spread over the threads, and the sums of its values.
// Tiles and the order of sums depend on the shape alone.
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/chain.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/chain_tile.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void run_plain(const ChainPlan<T>& plan) {
  parallel_ranges(plan.numel, plan.program.work, [&](std::int64_t first, std::int64_t last) {
    ChainTile<T>(plan).run_range(first, last);
  });
}

/// The sums of all rows of a matrix, each row in one tile.
template <class T>
void sum_short_rows(const ChainPlan<T>& plan, std::int64_t rows, std::int64_t length) {
  const std::int64_t group = kChainBlock<T> / length;
  parallel_ranges(rows, length * plan.program.work, [&](std::int64_t first, std::int64_t last) {
    ChainTile<T> tile(plan);
    for (std::int64_t row = first; row < last; row += group) {
      const std::int64_t count = std::min(group, last - row);
      tile.run(row * length, count * length, last * length);
      for (const ChainProgram::Sum& sum : plan.program.sums)
        for (std::int64_t r = 0; r < count; ++r)
          plan.outputs[static_cast<std::size_t>(sum.output)].template as<T>()[row + r] =
              static_cast<T>(reduce_tile<SumLanes<T>>(tile.value(sum.value) + r * length, length));
    }
  });
}

/// totals[k] = sum k of the elements first..last-1.
template <class T>
void sum_range(const ChainPlan<T>& plan, std::int64_t first, std::int64_t last, double* totals) {
  const auto& sums = plan.program.sums;
  ChainTile<T> tile(plan);
  std::fill_n(totals, sums.size(), 0.0);
  for (std::int64_t begin = first; begin < last; begin += kChainBlock<T>) {
    const std::int64_t count = std::min(kChainBlock<T>, last - begin);
    tile.run(begin, count, last);
    for (std::size_t k = 0; k < sums.size(); ++k)
      totals[k] += reduce_tile<SumLanes<T>>(tile.value(sums[k].value), count);
  }
}

template <class T>
void write_sums(const ChainPlan<T>& plan, std::int64_t at, const double* totals) {
  const auto& sums = plan.program.sums;
  for (std::size_t k = 0; k < sums.size(); ++k)
    plan.outputs[static_cast<std::size_t>(sums[k].output)].template as<T>()[at] =
        static_cast<T>(totals[k]);
}

/// Rows longer than a tile; a single one is cut into parts, or one thread would do it all.
template <class T>
void sum_long_rows(const ChainPlan<T>& plan, std::int64_t rows, std::int64_t length) {
  using Totals = std::array<double, Chain::kMaxResults>;
  if (rows > 1) {
    parallel_ranges(rows, length, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first; row < last; ++row) {
        Totals totals;
        sum_range(plan, row * length, (row + 1) * length, totals.data());
        write_sums(plan, row, totals.data());
      }
    });
    return;
  }
  Totals parts[kMaxTiles], totals{};
  const std::int64_t size = row_tile(length) / kChainBlock<T> * kChainBlock<T> + kChainBlock<T>;
  const std::int64_t count = (length + size - 1) / size;
  const auto run = [&](std::int64_t part) {
    sum_range(plan, part * size, std::min(length, (part + 1) * size), parts[part].data());
  };
  if (length * plan.program.work >= kParallelTiles * kTileElements)
    parallel_for(count, run);
  else
    for (std::int64_t part = 0; part < count; ++part) run(part);
  for (std::int64_t part = 0; part < count; ++part)
    for (std::size_t k = 0; k < plan.program.sums.size(); ++k) totals[k] += parts[part][k];
  write_sums(plan, 0, totals.data());
}

/// totals[k][column] of `width` columns from `column` on, over the rows first..last-1 of a matrix
/// with `columns` columns.
template <class T>
void sum_columns_of(const ChainPlan<T>& plan, std::int64_t columns, std::int64_t column,
                    std::int64_t width, std::int64_t first, std::int64_t last, double* totals) {
  const auto& sums = plan.program.sums;
  ChainTile<T> tile(plan);
  std::fill_n(totals, static_cast<std::int64_t>(sums.size()) * width, 0.0);
  const std::int64_t group = width == columns ? kChainBlock<T> / width : 1;
  for (std::int64_t row = first; row < last; row += group) {
    const std::int64_t rows = std::min(group, last - row);
    tile.run(row * columns + column, rows * width, last * columns);
    double* total = totals;
    for (const ChainProgram::Sum& sum : sums) {
      const T* x = tile.value(sum.value);
      for (std::int64_t r = 0; r < rows; ++r, x += width)
        for (std::int64_t c = 0; c < width; ++c) total[c] += static_cast<double>(x[c]);
      total += width;
    }
  }
}

template <class T>
void write_columns(const ChainPlan<T>& plan, std::int64_t column, std::int64_t width,
                   const double* totals) {
  for (const ChainProgram::Sum& sum : plan.program.sums) {
    T* out = plan.outputs[static_cast<std::size_t>(sum.output)].template as<T>() + column;
    for (std::int64_t c = 0; c < width; ++c) out[c] = static_cast<T>(totals[c]);
    totals += width;
  }
}

/// Many columns: strips of them, each over all rows.
template <class T>
void sum_wide_columns(const ChainPlan<T>& plan, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kWidth = ChainProgram::kMostColumns;
  parallel_ranges((columns + kWidth - 1) / kWidth, rows * kWidth,
                  [&](std::int64_t first, std::int64_t last) {
                    double totals[Chain::kMaxResults * kWidth];
                    for (std::int64_t strip = first; strip < last; ++strip) {
                      const std::int64_t column = strip * kWidth;
                      const std::int64_t width = std::min(kWidth, columns - column);
                      sum_columns_of(plan, columns, column, width, 0, rows, totals);
                      write_columns(plan, column, width, totals);
                    }
                  });
}

/// Few columns: parts of the rows, added in order.
template <class T>
void sum_few_columns(const ChainPlan<T>& plan, std::int64_t rows, std::int64_t columns,
                     double* parts) {
  const std::int64_t sums = static_cast<std::int64_t>(plan.program.sums.size()) * columns;
  const std::int64_t most = std::max<std::int64_t>(1, kTileElements / columns);
  const std::int64_t size =
      std::max(most, (rows + ChainProgram::kColumnParts - 1) / ChainProgram::kColumnParts);
  const std::int64_t count = (rows + size - 1) / size;
  const auto run = [&](std::int64_t part) {
    sum_columns_of(plan, columns, 0, columns, part * size, std::min(rows, (part + 1) * size),
                   parts + part * sums);
  };
  if (plan.numel * plan.program.work >= kParallelTiles * kTileElements)
    parallel_for(count, run);
  else
    for (std::int64_t part = 0; part < count; ++part) run(part);
  for (std::int64_t part = 1; part < count; ++part)
    for (std::int64_t i = 0; i < sums; ++i) parts[i] += parts[part * sums + i];
  write_columns(plan, 0, columns, parts);
}

template <class T>
void run_sums(const Call& call, const ChainPlan<T>& plan, const Shape& full, const Axes& axes) {
  std::int64_t reduced = 1, kept = 1;
  bool last_is_summed = true;
  for (int axis = 0; axis < full.rank(); ++axis) {
    if (full[axis] == 1) continue;
    last_is_summed = std::find(axes.begin(), axes.end(), axis) != axes.end();
    (last_is_summed ? reduced : kept) *= full[axis];
  }
  if (plan.numel == 0) {
    for (const ChainProgram::Sum& sum : plan.program.sums) {
      const View& out = plan.outputs[static_cast<std::size_t>(sum.output)];
      std::fill_n(out.as<T>(), out.numel, T(0));
    }
  } else if (last_is_summed || reduced == 1) {
    reduced <= kChainBlock<T> ? sum_short_rows(plan, kept, reduced)
                              : sum_long_rows(plan, kept, reduced);
  } else if (kept > ChainProgram::kMostColumns) {
    sum_wide_columns(plan, reduced, kept);
  } else {
    sum_few_columns(plan, reduced, kept, reinterpret_cast<double*>(call.workspace));
  }
}

/// The shape of the chain; that of an output if one is not summed.
Shape chain_shape(const Call& call, const ChainProgram& program) {
  if (!program.outputs.empty()) return call.out(program.outputs[0].output).shape;
  Shape full = call.in(0).shape;
  for (const View& view : call.inputs)
    if (!(view.shape == full)) full = broadcast_shapes("chain", full, view.shape);
  return full;
}

template <class T>
void run_chain(const Call& call, const Chain& chain) {
  const ChainProgram& program = chain.program();
  if (program.sums.empty()) {
    const View& out = call.out(program.outputs[0].output);
    return run_plain(ChainPlan<T>(call, program, out.shape, out.numel));
  }
  const Shape full = chain_shape(call, program);
  run_sums(call, ChainPlan<T>(call, program, full, full.numel()), full, chain.parts().sum.axes);
}

}  // namespace

void run_chain(const Call& call) {
  const Chain& chain = *call.get<ChainAttrs>().chain;
  const ChainProgram& program = chain.program();
  DType dtype = program.dtype;
  if (program.dtype_source >= 0)
    dtype = call.in(program.sources[static_cast<std::size_t>(program.dtype_source)].input).dtype;
  dtype == DType::float32 ? run_chain<float>(call, chain) : run_chain<double>(call, chain);
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(run_chain);

void chain(const Call& call) { MILGRAD_DISPATCH(run_chain)(call); }

}  // namespace milgrad::cpu
#endif
