// Adam's denominator. AVX-512 processors take as long for one square root or quotient as for some
// ten multiplications, and have one divider for both, so every other square root is multiplied out;
// compiled once per SIMD target.
#if defined(MILGRAD_BACKENDS_CPU_ROOT_PLUS_EPSILON_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_ROOT_PLUS_EPSILON_H
#undef MILGRAD_BACKENDS_CPU_ROOT_PLUS_EPSILON_H
#else
#define MILGRAD_BACKENDS_CPU_ROOT_PLUS_EPSILON_H
#endif

#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3
/// hn::Sqrt(x), bit for bit, for 2^-100 <= x < infinity: from the approximation y of 1 / sqrt(x),
/// s = x y and h = y / 2 get one coupled Newton step each, and s a last correction by its exact
/// residual x - s^2 (Markstein, IA-64 and Elementary Functions, 2000, chapter 9).
/// tests/optim_test.cpp tries all 2^24 significands.
template <class V>
HWY_INLINE V multiplied_out_sqrt(V x) {
  const V half = hn::Set(hn::DFromV<V>(), 0.5f), y = hn::ApproximateReciprocalSqrt(x);
  V h = hn::Mul(y, half), s = hn::Mul(x, y);
  const V r = hn::NegMulAdd(h, s, half);
  s = hn::MulAdd(s, r, s);
  h = hn::MulAdd(h, r, h);
  return hn::MulAdd(hn::NegMulAdd(s, s, x), h, s);
}
#endif

/// sqrt(x) + epsilon, both rounded, for vectors of float or double.
template <class T>
class RootPlusEpsilon {
 public:
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  HWY_INLINE explicit RootPlusEpsilon(T epsilon)
      : epsilon_(hn::Set(D(), epsilon)),
        above_(hn::Set(Bits(), sizeof(T) == 4 && epsilon >= kLeastEpsilon ? kInfinity : 0)) {}

  /// `position` is the first element's, so that vectors take turns at the divider.
  HWY_INLINE V operator()(V x, std::int64_t position) const {
#if HWY_TARGET == HWY_AVX3
    if constexpr (sizeof(T) == 4) {
      const bool first = (position & static_cast<std::int64_t>(HWY_LANES(T))) == 0;
      if (first && hn::AllTrue(Bits(), hn::Gt(above_, hn::BitCast(Bits(), x)))) {
        // Below, the root is less than half of the last place of the smallest epsilon.
        const V lowest = hn::Set(D(), 0x1p-100f);
        return hn::Add(multiplied_out_sqrt(hn::Max(lowest, x)), epsilon_);
      }
    }
#endif
    static_cast<void>(position);
    return hn::Add(hn::Sqrt(x), epsilon_);
  }

 private:
  using Bits = hn::RebindToUnsigned<D>;
  static constexpr double kLeastEpsilon = 0x1p-24;
  static constexpr std::uint32_t kInfinity = 0x7f800000;

  V epsilon_;
  hn::Vec<Bits> above_;  // numbers from here on, negative ones and NaN go to the divider
};

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_ROOT_PLUS_EPSILON_H
