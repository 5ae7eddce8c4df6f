// Loads and stores of fewer elements than a vector has lanes, shuffles, and loops whose indices are
// known to the compiler; compiled once per SIMD target, as simd.h says.
#if defined(MILGRAD_BACKENDS_CPU_SIMD_MEMORY_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_SIMD_MEMORY_H
#undef MILGRAD_BACKENDS_CPU_SIMD_MEMORY_H
#else
#define MILGRAD_BACKENDS_CPU_SIMD_MEMORY_H
#endif

#include "backends/cpu/simd.h"

#include <array>
#include <bit>
#include <utility>

// For lambdas that work on vectors: a call would pass them through memory.
#undef MILGRAD_INLINE_LAMBDA
#define MILGRAD_INLINE_LAMBDA __attribute__((always_inline))

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

// Memory behind the end of a row is not touched: AVX2 and AVX-512 load and store under a mask,
// others go through a block.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
inline constexpr bool kMaskedMemory = true;
#else
inline constexpr bool kMaskedMemory = false;
#endif

/// `count` <= lanes elements, and 0 in the other lanes.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* x, std::int64_t count) {
  if constexpr (kMaskedMemory) {
    return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, x);
  } else {
    HWY_ALIGN T block[HWY_LANES(T)];
    hn::Store(hn::Zero(d), d, block);
    for (std::int64_t i = 0; i < count; ++i) block[i] = x[i];
    return hn::Load(d, block);
  }
}

/// `count` <= lanes elements, and `fill` in the other lanes.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* x, std::int64_t count, T fill) {
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
  return hn::IfThenElse(mask, load_first(d, x, count), hn::Set(d, fill));
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* y, std::int64_t count) {
  if constexpr (kMaskedMemory) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, y);
  } else {
    HWY_ALIGN T block[HWY_LANES(T)];
    hn::Store(v, d, block);
    for (std::int64_t i = 0; i < count; ++i) y[i] = block[i];
  }
}

/// Loads and stores of whole vectors, and of the first elements of vectors: for loops written once
/// for both.
struct AllLanes {
  AllLanes() = default;
  explicit AllLanes(std::int64_t) {}
  template <class D, class T>
  HWY_INLINE hn::Vec<D> load(D d, const T* p) const {
    return hn::LoadU(d, p);
  }
  template <class V, class D, class T>
  HWY_INLINE void store(V v, D d, T* p) const {
    hn::StoreU(v, d, p);
  }
};
template <class D>
class FirstLanes {
 public:
  HWY_INLINE explicit FirstLanes(std::int64_t count)
      : count_(count), mask_(hn::FirstN(D(), static_cast<std::size_t>(count))) {}
  template <class T>
  HWY_INLINE hn::Vec<D> load(D d, const T* p) const {
    if constexpr (kMaskedMemory)
      return hn::MaskedLoad(mask_, d, p);
    else
      return load_first(d, p, count_);
  }
  template <class V, class T>
  HWY_INLINE void store(V v, D d, T* p) const {
    if constexpr (kMaskedMemory)
      hn::BlendedStore(v, mask_, d, p);
    else
      store_first(v, d, p, count_);
  }

 private:
  std::int64_t count_;
  hn::Mask<D> mask_;
};

/// A value that several instructions read stays in a register; GCC would load it for each anew.
template <class V>
HWY_INLINE V in_register(V v) {
#if HWY_TARGET == HWY_AVX3
  asm("" : "+v"(v.raw));
#elif HWY_ARCH_X86
  asm("" : "+x"(v.raw));
#endif
  return v;
}

/// f(0), .., f(count - 1), each with its index as a constant: GCC 12 keeps an array of vectors in
/// registers only if no index of it is a variable.
template <int count, class F>
HWY_INLINE void each(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) MILGRAD_INLINE_LAMBDA {
    (f(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, count>{});
}

/// Lane numbers through F, as indices for hn::TableLookupLanes.
template <class D, class F>
HWY_INLINE auto lane_indices(D d, F) {
  using Index = std::conditional_t<sizeof(hn::TFromD<D>) == 4, std::int32_t, std::int64_t>;
  constexpr int kLanes = HWY_LANES(hn::TFromD<D>);
  alignas(64) static constexpr std::array<Index, kLanes> kIndices = [] {
    std::array<Index, kLanes> indices{};
    for (int i = 0; i < kLanes; ++i) indices[static_cast<std::size_t>(i)] = F{}(i);
    return indices;
  }();
  return hn::SetTableIndices(d, kIndices.data());
}

/// sum[i] becomes the sum of all lanes i + j n, for n a power of two: whole vectors, log steps.
template <int n, class D, class V>
HWY_INLINE V sum_by_column(D d, V sum) {
  constexpr int kSteps = std::bit_width(HWY_LANES(hn::TFromD<D>) / unsigned{n}) - 1;
  each<kSteps>([&](auto step) MILGRAD_INLINE_LAMBDA {
    const auto other =
        lane_indices(d, [](int lane) { return lane ^ (n << decltype(step)::value); });
    sum = hn::Add(sum, hn::TableLookupLanes(sum, other));
  });
  return sum;
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_SIMD_MEMORY_H
