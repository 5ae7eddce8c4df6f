// Square roots that leave the divider free for a quotient: AVX-512 processors take as long for one
// square root as for some ten multiplications, and Adam needs both; compiled once per SIMD target.
#if defined(MILGRAD_BACKENDS_CPU_EXACT_SQRT_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_EXACT_SQRT_H
#undef MILGRAD_BACKENDS_CPU_EXACT_SQRT_H
#else
#define MILGRAD_BACKENDS_CPU_EXACT_SQRT_H
#endif

#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

/// hn::Sqrt(x), bit for bit. From the approximation y of 1 / sqrt(x), s = x y and h = y / 2 get one
/// coupled Newton step each, and s a last correction by the exact residual x - s^2, which gives the
/// rounded root (Markstein, IA-64 and Elementary Functions, 2000, chapter 9; tests/optim_test.cpp
/// tries all 2^24 significands). Vectors with numbers whose residual might underflow go to the
/// divider.
template <class V>
HWY_INLINE V exact_sqrt(V x) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (sizeof(hn::TFromV<V>) == 4) {
    const hn::DFromV<V> d;
    const hn::RebindToUnsigned<decltype(d)> du;
    constexpr std::uint32_t kLowest = 0x0d800000, kRange = 0x71000000;  // 2^-100 .. 2^126
    const auto nonzero = hn::Ne(x, hn::Zero(d));
    const auto above = hn::Sub(hn::BitCast(du, x), hn::Set(du, kLowest));
    const auto outside = hn::Gt(above, hn::Set(du, kRange));
    if (HWY_UNLIKELY(!hn::AllFalse(d, hn::And(nonzero, hn::RebindMask(d, outside)))))
      return hn::Sqrt(x);
    const V y = hn::IfThenElseZero(nonzero, hn::ApproximateReciprocalSqrt(x));
    const V half = hn::Set(d, 0.5f);
    V h = hn::Mul(y, half), s = hn::Mul(x, y);
    const V r = hn::NegMulAdd(h, s, half);
    s = hn::MulAdd(s, r, s);
    h = hn::MulAdd(h, r, h);
    return hn::MulAdd(hn::NegMulAdd(s, s, x), h, s);
  }
#endif
  return hn::Sqrt(x);
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_EXACT_SQRT_H
