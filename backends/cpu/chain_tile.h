// One tile of a chain: its operands are brought into blocks that stay in L1 (or are read where they
// are), the steps run one after another, and what leaves the chain is written out; compiled once
// per SIMD target, as simd.h says.
#if defined(MILGRAD_BACKENDS_CPU_CHAIN_TILE_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_CHAIN_TILE_H
#undef MILGRAD_BACKENDS_CPU_CHAIN_TILE_H
#else
#define MILGRAD_BACKENDS_CPU_CHAIN_TILE_H
#endif

#include "backends/cpu/chain_steps.h"
#include "backends/cpu/reduce_rows.h"

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

/// Elements of a tile.
template <class T>
inline constexpr std::int64_t kChainBlock = 4096 / sizeof(T);

template <class T>
HWY_INLINE std::int64_t whole_vectors(std::int64_t count) {
  return (count + HWY_LANES(T) - 1) / HWY_LANES(T) * HWY_LANES(T);
}

/// How an operand that is broadcast moves through the chain's shape: neighbouring axes of one kind
/// are one, the innermost first. Without initial values, since most operands need none.
struct BroadcastWalk {
  int rank;
  std::int64_t sizes[kMaxRank];
  std::int64_t strides[kMaxRank];

  void start(const Shape& own, const Shape& full) {
    rank = 0;
    std::int64_t stride = 1;
    const int shift = full.rank() - own.rank();
    for (int axis = full.rank() - 1; axis >= 0; --axis) {
      if (full[axis] == 1) continue;
      const bool moves = axis >= shift && own[axis - shift] != 1;
      if (rank > 0 && moves == (strides[rank - 1] != 0)) {
        sizes[rank - 1] *= full[axis];
      } else {
        sizes[rank] = full[axis];
        strides[rank] = moves ? stride : 0;
        ++rank;
      }
      if (moves) stride *= full[axis];
    }
  }
};

/// Bytes of bools to masks: all bits of a number, or none.
template <class T>
void masks_of(const std::uint8_t* x, T* out, std::int64_t count) {
  using Bits = typename math::Format<T>::Bits;
  for (std::int64_t i = 0; i < count; ++i) {
    const Bits mask = static_cast<Bits>(-static_cast<Bits>(x[i]));
    std::memcpy(out + i, &mask, sizeof(T));
  }
}

/// Elements to numbers; bools are read as bytes, or GCC does not vectorise.
template <class Given, class T>
void convert_elements(const Given* x, T* out, std::int64_t count) {
  using From = std::conditional_t<std::is_same_v<Given, bool>, std::uint8_t, Given>;
  const auto* from = reinterpret_cast<const From*>(x);
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(from[i]);
}

/// A source of a chain in one call.
template <class T>
struct ChainSource {
  enum class Reading : std::uint8_t {
    direct,   // where it is
    still,    // one element
    convert,  // from another dtype
    walk,     // broadcast
  };
  const View* view;
  BroadcastWalk* walk;  // if it is broadcast
  Reading reading;
  bool as_number;

  HWY_INLINE void start(const View& given, bool number, const Shape& full, std::int64_t numel) {
    view = &given;
    as_number = number;
    if (given.numel == numel) {
      reading = given.dtype == dtype_of<T>() ? Reading::direct : Reading::convert;
    } else if (given.numel == 1) {
      reading = Reading::still;
    } else {
      reading = Reading::walk;
      walk->start(given.shape, full);
    }
  }

  /// out[0..count) = elements from `first` on.
  void convert_run(std::int64_t first, T* out, std::int64_t count) const {
    if (view->dtype == DType::boolean && !as_number)
      return masks_of(view->template as<const std::uint8_t>() + first, out, count);
    visit_dtype(view->dtype, [&]<class From>() {
      convert_elements(view->template as<const From>() + first, out, count);
    });
  }

  HWY_INLINE void fill(std::int64_t at, T* out, std::int64_t count) const {
    if (view->dtype == dtype_of<T>()) {
      std::fill_n(out, count, view->template as<const T>()[at]);
      return;
    }
    T value;
    convert_run(at, &value, 1);
    if (view->dtype != DType::boolean || as_number) {
      for (std::int64_t i = 0; i < count; ++i) out[i] = value;
    } else {
      for (std::int64_t i = 0; i < count; ++i) std::memcpy(out + i, &value, sizeof(T));
    }
  }

  /// The elements that meet begin..begin+count-1 of the chain.
  HWY_NOINLINE void load(std::int64_t begin, std::int64_t count, T* out) const {
    if (reading != Reading::walk) return convert_run(begin, out, count);
    std::int64_t index[kMaxRank], at = 0, rest = begin;
    for (int axis = 0; axis < walk->rank; ++axis) {
      index[axis] = axis + 1 < walk->rank ? rest % walk->sizes[axis] : rest;
      rest /= walk->sizes[axis];
      at += index[axis] * walk->strides[axis];
    }
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t run = std::min(walk->sizes[0] - index[0], count - done);
      walk->strides[0] == 0 ? fill(at, out + done, run) : convert_run(at, out + done, run);
      done += run;
      at += run * walk->strides[0];
      index[0] += run;
      for (int axis = 0; axis + 1 < walk->rank && index[axis] == walk->sizes[axis]; ++axis) {
        at += walk->strides[axis + 1] - walk->sizes[axis] * walk->strides[axis];
        index[axis] = 0;
        ++index[axis + 1];
      }
    }
  }
};

/// What all tiles of a call share.
template <class T>
struct ChainPlan {
  static constexpr int kMaxSources = 2 * Chain::kMaxInputs;
  const ChainProgram& program;
  std::span<const View> outputs;
  std::int64_t numel;
  int sources_count;
  ChainSource<T> sources[kMaxSources];
  BroadcastWalk walks[kMaxSources];
  HWY_ALIGN T still[kMaxSources][HWY_LANES(T)];
  bool staged[Chain::kMaxResults];  // goes through a block on its way out
  bool any_staged = false;

  ChainPlan(const Call& call, const ChainProgram& given, const Shape& full, std::int64_t count)
      : program(given),
        outputs(call.outputs),
        numel(count),
        sources_count(static_cast<int>(given.sources.size())) {
    const ChainProgram::Source* source = program.sources.begin();
    const View* inputs = call.inputs.data();
    for (int s = 0; s < sources_count; ++s) {
      sources[s].walk = &walks[s];
      sources[s].start(inputs[source[s].input], source[s].as_number, full, count);
      if (sources[s].reading == ChainSource<T>::Reading::still)
        sources[s].fill(0, still[s], HWY_LANES(T));
    }
    for (const ChainProgram::Output& output : program.outputs) {
      const View& out = outputs[static_cast<std::size_t>(output.output)];
      // Bools are converted.
      const bool stages = out.dtype == DType::boolean ||
                          (output.output == 0 && program.late_read && out.data == call.in(0).data);
      any_staged |= staged[output.output] = stages;
    }
  }
};

template <class T>
class ChainTile {
 public:
  explicit ChainTile(const ChainPlan<T>& plan)
      : plan_(plan), stride_(std::min(kChainBlock<T>, whole_vectors<T>(plan.numel)) + kGap) {}

  /// Elements begin..begin+count-1 of the chain; inputs may be read up to `limit`.
  void run(std::int64_t begin, std::int64_t count, std::int64_t limit) {
    const ChainProgram& program = plan_.program;
    const std::int64_t rounded = whole_vectors<T>(count), stride = stride_;
    const bool ragged = rounded != count;
    T* next = scratch_ + program.registers * stride;
    const int sources = plan_.sources_count;
    for (int s = 0; s < sources; ++s) next = read(s, begin, count, limit, next);
    TileValue<T>* value = values_ + sources;
    const double* numbers = program.numbers.data();
    const ChainProgram::Step* end = program.steps.end();
    for (const ChainProgram::Step* step = program.steps.begin(); step < end; ++step, ++value) {
      T* out;
      if (step->output < 0) {
        out = scratch_ + step->place * stride;
      } else if (ragged || plan_.staged[static_cast<std::size_t>(step->output)]) {
        out = next;
        next += stride;
      } else {
        out = plan_.outputs[static_cast<std::size_t>(step->output)].template as<T>() + begin;
      }
      steps::kTable<T>[static_cast<std::size_t>(step->function)](out, values_, rounded, *step,
                                                                 numbers);
      *value = {out, kLanes};
    }
    if (ragged || plan_.any_staged) write_staged(begin, count, ragged);
  }

  /// Elements first..last-1, tile by tile; only what is left of a vector is copied in and out.
  void run_range(std::int64_t first, std::int64_t last) {
    for (std::int64_t begin = first; begin < last;) {
      std::int64_t count = std::min(kChainBlock<T>, last - begin);
      if (count > kLanes) count -= count % kLanes;
      run(begin, count, last);
      begin += count;
    }
  }

  /// A value of the tile that was run last.
  const T* value(int number) const { return values_[number].data; }

 private:
  static constexpr std::int64_t kLanes = HWY_LANES(T);
  // Between blocks. Memory 4096 bytes apart gets into each other's way on the way to the cache.
  static constexpr std::int64_t kGap = 704 / sizeof(T);
  using Reading = typename ChainSource<T>::Reading;
  static constexpr int kValues = ChainPlan<T>::kMaxSources + Chain::kMaxInstructions;
  static constexpr int kBlocks =
      Chain::kMaxRegisters + ChainPlan<T>::kMaxSources + Chain::kMaxResults;

  /// Where source s can be read for this tile, if need be in the block `next`; the next free block.
  HWY_INLINE T* read(int s, std::int64_t begin, std::int64_t count, std::int64_t limit, T* next) {
    const ChainSource<T>& source = plan_.sources[s];
    if (source.reading == Reading::direct) {
      const T* x = source.view->template as<const T>() + begin;
      if (begin + whole_vectors<T>(count) <= limit) {
        values_[s] = {x, kLanes};
        return next;
      }
      copy_in(x, count, next);
    } else if (source.reading == Reading::still) {
      values_[s] = {plan_.still[s], 0};
      return next;
    } else {
      const hn::ScalableTag<T> d;
      hn::StoreU(hn::Zero(d), d, next + whole_vectors<T>(count) - kLanes);
      source.load(begin, count, next);
    }
    values_[s] = {next, kLanes};
    return next + stride_;
  }

  static void copy_in(const T* x, std::int64_t count, T* block) {
    const hn::ScalableTag<T> d;
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) hn::StoreU(hn::LoadU(d, x + i), d, block + i);
    hn::StoreU(load_first(d, x + i, count - i), d, block + i);
  }

  void write_staged(std::int64_t begin, std::int64_t count, bool ragged) {
    for (const ChainProgram::Output& output : plan_.program.outputs) {
      if (!(ragged || plan_.staged[output.output])) continue;
      const View& out = plan_.outputs[static_cast<std::size_t>(output.output)];
      const T* block = values_[plan_.sources_count + output.step].data;
      if (out.dtype == DType::boolean)
        write_bools(block, out.as<std::uint8_t>() + begin, count);
      else
        copy_out(block, out.as<T>() + begin, count);
    }
  }

  static void write_bools(const T* block, std::uint8_t* out, std::int64_t count) {
    using Bits = typename math::Format<T>::Bits;
    for (std::int64_t i = 0; i < count; ++i) {
      Bits bits;
      std::memcpy(&bits, block + i, sizeof(T));
      out[i] = static_cast<std::uint8_t>(bits & 1);
    }
  }

  static void copy_out(const T* block, T* out, std::int64_t count) {
    const hn::ScalableTag<T> d;
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) hn::StoreU(hn::LoadU(d, block + i), d, out + i);
    if (i < count) store_first(hn::LoadU(d, block + i), d, out + i, count - i);
  }

  const ChainPlan<T>& plan_;
  std::int64_t stride_;  // between blocks
  TileValue<T> values_[kValues];
  HWY_ALIGN T scratch_[kBlocks * (kChainBlock<T> + kGap)];
};

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_CHAIN_TILE_H
