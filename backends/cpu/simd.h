// The vocabulary of functors.h for Highway vectors, and the functors over it. A kernel file names
// itself in HWY_TARGET_INCLUDE, includes hwy/foreach_target.h and then this file, which both are
// compiled once per SIMD target, and writes its kernels in milgrad::cpu::HWY_NAMESPACE.
//
// Highway's own math library is not used: in version 1.0.3 Exp(NaN) is 0, Log(-1) 177, Log1p(inf)
// NaN and Sin wrong beyond 39,000. Here every function gives for every input what the standard
// library gives, to within the bounds in tests/simd_test.cpp. The polynomials are minimax fits by
// Remez's exchange algorithm; argument reductions as in Muller, Elementary Functions, 2016.
#if defined(MILGRAD_BACKENDS_CPU_SIMD_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_SIMD_H
#undef MILGRAD_BACKENDS_CPU_SIMD_H
#else
#define MILGRAD_BACKENDS_CPU_SIMD_H
#endif

#include "backends/cpu/simd_target.h"
#include "tensor/call.h"

#include <cmath>
#include <limits>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

namespace math {

template <class V>
HWY_INLINE V constant(V, double value) {
  return hn::Set(hn::DFromV<V>(), static_cast<hn::TFromV<V>>(value));
}
template <class M, class V>
HWY_INLINE V select(M condition, V a, V b) {
  return hn::IfThenElse(condition, a, b);
}
template <class V>
HWY_INLINE V add(V a, V b) {
  return hn::Add(a, b);
}
template <class V>
HWY_INLINE V sub(V a, V b) {
  return hn::Sub(a, b);
}
template <class V>
HWY_INLINE V mul(V a, V b) {
  return hn::Mul(a, b);
}
template <class V>
HWY_INLINE V fma(V a, V b, V c) {
  return hn::MulAdd(a, b, c);
}
template <class V>
HWY_INLINE V neg(V x) {
  return hn::Neg(x);
}
template <class V>
HWY_INLINE V abs(V x) {
  return hn::Abs(x);
}
template <class V>
HWY_INLINE V sqrt(V x) {
  return hn::Sqrt(x);
}
template <class V>
HWY_INLINE V floor(V x) {
  return hn::Floor(x);
}
template <class V>
HWY_INLINE V round_half_even(V x) {
  return hn::Round(x);
}

/// min(x, high) and max(x, low), but NaN stays NaN.
template <class V>
HWY_INLINE V at_most(V x, double high) {
  const V bound = constant(x, high);
  return select(x > bound, bound, x);
}
template <class V>
HWY_INLINE V at_least(V x, double low) {
  const V bound = constant(x, low);
  return select(x < bound, bound, x);
}

/// c[0] + c[1] x + c[2] x^2 + ...
template <class V, int n, int i = 0>
HWY_INLINE V polynomial(V x, const double (&c)[n]) {
  if constexpr (i + 1 == n)
    return constant(x, c[i]);
  else
    return fma(polynomial<V, n, i + 1>(x, c), x, constant(x, c[i]));
}

/// f of each lane, for functions without a good vector form.
template <class V>
HWY_NOINLINE V each_lane(V x, hn::TFromV<V> (*f)(hn::TFromV<V>)) {
  const hn::DFromV<V> d;
  HWY_ALIGN hn::TFromV<V> lanes[HWY_LANES(hn::TFromV<V>)];
  hn::Store(x, d, lanes);
  for (auto& lane : lanes) lane = f(lane);
  return hn::Load(d, lanes);
}

template <class V>
HWY_NOINLINE V pow(V a, V b) {
  using T = hn::TFromV<V>;
  const hn::DFromV<V> d;
  HWY_ALIGN T bases[HWY_LANES(T)];
  HWY_ALIGN T exponents[HWY_LANES(T)];
  hn::Store(a, d, bases);
  hn::Store(b, d, exponents);
  for (std::size_t i = 0; i < HWY_LANES(T); ++i) bases[i] = std::pow(bases[i], exponents[i]);
  return hn::Load(d, bases);
}

/// What the formats of float and double differ in.
template <class T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr double kBias = 127;
  static constexpr double kMagic = 12582912;  // 1.5 * 2^23: adding it leaves a whole number
  static constexpr double kSmallestNormal = 1.17549435082228750797e-38;
  static constexpr double kEpsilon = 5.96046447753906250e-8;  // half of the last place of 1

  // ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact.
  static constexpr double kLn2High = 0.693359375;
  static constexpr double kLn2Low = -2.12194440054690583e-4;
  // Beyond these exp(x) is 0 or inf, and tanh(x) is 1.
  static constexpr double kExpLow = -104, kExpHigh = 89, kTanhHigh = 10;
  // (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, relative to e^r - 1: 2^-31.9
  static constexpr double kExp[] = {0.5,
                                    0.1666666567325592,
                                    0.041666362434625626,
                                    0.008333389647305012,
                                    0.0013940626522526145,
                                    0.00019845887436531484};
  // (log((1 + s) / (1 - s)) / s - 2) / s^2 in s^2, s <= 3 - sqrt(8): 2^-30.2
  static constexpr double kLog[] = {0.6666677594184875, 0.399774968624115, 0.2987304627895355};
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr double kBias = 1023;
  static constexpr double kMagic = 6755399441055744;  // 1.5 * 2^52
  static constexpr double kSmallestNormal = 2.22507385850720138309e-308;
  static constexpr double kEpsilon = 1.11022302462515654e-16;

  // The first part has 32 bits.
  static constexpr double kLn2High = 6.93147180369123816490e-01;
  static constexpr double kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kExpLow = -746, kExpHigh = 710, kTanhHigh = 20;
  // 2^-61.7
  static constexpr double kExp[] = {0.5,
                                    0.16666666666666677,
                                    0.04166666666666651,
                                    0.008333333333321691,
                                    0.001388888888896234,
                                    0.00019841269885966127,
                                    2.480158717259374e-05,
                                    2.7557244373843507e-06,
                                    2.7557402598487005e-07,
                                    2.5108979024482677e-08,
                                    2.0875343036208858e-09};
  // 2^-59.5
  static constexpr double kLog[] = {0.6666666666666735, 0.39999999999411096, 0.2857142874326232,
                                    0.2222219847600159, 0.18183569739573544, 0.1531390325100304,
                                    0.14797507590598813};
};

template <class V>
using FormatOf = Format<hn::TFromV<V>>;

/// 2^n for a whole n of the exponents of normal numbers: n + bias is shifted to its place.
template <class V>
HWY_INLINE V power_of_two(V n) {
  using F = FormatOf<V>;
  const hn::DFromV<V> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const auto bits = hn::BitCast(du, n + constant(n, F::kMagic + F::kBias));
  return hn::BitCast(d, hn::ShiftLeft<F::kMantissaBits>(bits));
}

/// x = n ln 2 + r with |r| <= ln(2) / 2 and a whole n.
template <class V>
struct ExpReduction {
  V n, r;
};
template <class V>
HWY_INLINE ExpReduction<V> reduce_for_exp(V x) {
  using F = FormatOf<V>;
  constexpr double kLog2E = 1.44269504088896340736;
  const V magic = constant(x, F::kMagic);
  const V n = fma(x, constant(x, kLog2E), magic) - magic;
  const V r = fma(n, constant(x, -F::kLn2High), x);
  return {n, fma(n, constant(x, -F::kLn2Low), r)};
}

/// e^r - 1 for |r| <= ln(2) / 2.
template <class V>
HWY_INLINE V expm1_near_zero(V r) {
  return fma(r * r, polynomial(r, FormatOf<V>::kExp), r);
}

// Two factors, each a normal number, since 2^n itself may be too large or too small.
template <class V>
HWY_INLINE V exp(V x) {
  using F = FormatOf<V>;
  const auto [n, r] = reduce_for_exp(at_least(at_most(x, F::kExpHigh), F::kExpLow));
  const V half = floor(n * constant(x, 0.5));
  const V y = expm1_near_zero(r) + constant(x, 1);
  return y * power_of_two(half) * power_of_two(n - half);
}

/// 2^n (e^r - 1) + (2^n - 1) for x below the largest exponent.
template <class V>
HWY_INLINE V expm1_moderate(V x) {
  const auto [n, r] = reduce_for_exp(x);
  const V scale = power_of_two(n);
  return fma(scale, expm1_near_zero(r), scale - constant(x, 1));
}

// Large values are doubled at the end, because 2^n may overflow where the result does not.
template <class V>
HWY_INLINE V expm1(V x) {
  using F = FormatOf<V>;
  const V one = constant(x, 1), two = constant(x, 2);
  const auto [n, r] = reduce_for_exp(at_least(at_most(x, F::kExpHigh), -0.5 * F::kExpHigh));
  const auto large = n > constant(x, 64);
  const V scale = power_of_two(n - one) * select(large, one, two);
  const V y = fma(scale, expm1_near_zero(r), scale - select(large, constant(x, 0.5), one));
  return select(abs(x) < constant(x, F::kEpsilon), x, y * select(large, two, one));
}

// tanh|x| = (e^2|x| - 1) / (e^2|x| + 1)
template <class V>
HWY_INLINE V tanh(V x) {
  const V e = expm1_moderate(at_most(abs(x), FormatOf<V>::kTanhHigh) * constant(x, 2));
  return hn::CopySign(e / (e + constant(x, 2)), x);
}

// x = 2^n m with sqrt(1/2) <= m < sqrt(2); with f = m - 1 and s = f / (2 + f),
// log(1 + f) = log((1 + s) / (1 - s)) = f - (f^2/2 - s (f^2/2 + R(s^2))).
template <class V>
HWY_INLINE V log(V x) {
  using F = FormatOf<V>;
  using Bits = typename F::Bits;
  const hn::DFromV<V> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  constexpr int kShift = F::kMantissaBits;
  constexpr int kUp = kShift + 1;  // makes the smallest denormal normal
  const V one = constant(x, 1);
  const auto denormal = x < constant(x, F::kSmallestNormal);
  const V up = constant(x, static_cast<double>(Bits{1} << kUp));
  const auto bits = hn::BitCast(du, select(denormal, x * up, x));
  const auto sqrt_half = hn::BitCast(du, constant(x, 0.70710678118654752440));
  const auto shifted = bits + (hn::BitCast(du, one) - sqrt_half);
  const V m = hn::BitCast(d, hn::And(shifted, hn::Set(du, (Bits{1} << kShift) - 1)) + sqrt_half);
  const V exponent_base = constant(x, static_cast<double>(Bits{1} << kShift));
  const V biased =
      hn::BitCast(d, hn::Or(hn::ShiftRight<kShift>(shifted), hn::BitCast(du, exponent_base)));
  const V n = biased - (exponent_base +
                        select(denormal, constant(x, F::kBias + kUp), constant(x, F::kBias)));
  const V f = m - one;
  const V s = f / (f + constant(x, 2));
  const V z = s * s;
  const V half_square = constant(x, 0.5) * f * f;
  const V series = s * (half_square + z * polynomial(z, F::kLog));
  const V small = half_square - fma(n, constant(x, F::kLn2Low), series);
  const V y = fma(n, constant(x, F::kLn2High), f - small);

  const V infinity = constant(x, std::numeric_limits<double>::infinity());
  const V nan = constant(x, std::numeric_limits<double>::quiet_NaN());
  const V zero = constant(x, 0);
  const V outside = select(x == zero, neg(infinity), nan);
  return select(x > zero, select(x < infinity, y, x), outside);
}

// log(1 + x) = log(u) + c / u, where u is 1 + x rounded and c what the rounding lost.
template <class V>
HWY_INLINE V log1p(V x) {
  const V one = constant(x, 1);
  const V u = one + x;
  const V back = u - one;
  const V lost = (one - (u - back)) + (x - back);
  const V correction = lost / u;
  const V y = log(u);
  const V corrected = select(correction == correction, y + correction, y);
  return select(abs(x) < constant(x, FormatOf<V>::kEpsilon), x, corrected);
}

/// The remainder of float x by multiples of pi / 2, and their count modulo 4. In double, where
/// up to kTrigHigh the product of the count with the first part is exact.
inline constexpr double kTrigHigh = 1 << 20;
template <class D, class V>
HWY_INLINE V reduce_by_half_pi(D half, V x, V count) {
  const hn::Rebind<double, D> dd;
  constexpr double kHigh = 1.57079632673412561417e+00;  // 33 bits
  constexpr double kLow = 6.07710050650619224932e-11;
  const auto n = hn::PromoteTo(dd, count);
  const auto r = fma(n, hn::Set(dd, -kHigh), hn::PromoteTo(dd, x));
  return hn::DemoteTo(half, fma(n, hn::Set(dd, -kLow), r));
}

/// sin(x + shift pi / 2) of floats with |x| < kTrigHigh.
template <class V>
HWY_INLINE V sin_moderate(V x, double shift) {
  static constexpr double kSin[] = {-0.16666655242443085, 0.008332177065312862,
                                    -0.0001951714075403288};
  static constexpr double kCos[] = {0.04166664555668831, -0.0013887366512790322,
                                    2.443827543174848e-05};
  const hn::DFromV<V> d;
  const hn::Half<decltype(d)> half;
  const V count = round_half_even(x * constant(x, 0.63661977236758134308));
  const auto low = reduce_by_half_pi(half, hn::LowerHalf(half, x), hn::LowerHalf(half, count));
  const auto high = reduce_by_half_pi(half, hn::UpperHalf(half, x), hn::UpperHalf(half, count));
  const V r = hn::Combine(d, high, low);
  const V z = r * r;
  const V one = constant(x, 1), two = constant(x, 2);
  const V sine = fma(r * z, polynomial(z, kSin), r);
  const V cosine = fma(z * z, polynomial(z, kCos), fma(z, constant(x, -0.5), one));

  const V turned = count + constant(x, shift);
  const V quadrant = turned - constant(x, 4) * floor(turned * constant(x, 0.25));
  const V odd = quadrant - two * floor(quadrant * constant(x, 0.5));
  const V y = select(odd == one, cosine, sine);
  return select(quadrant >= two, neg(y), y);
}

template <class V>
HWY_INLINE V sin_or_cos(V x, double shift, hn::TFromV<V> (*exact)(hn::TFromV<V>)) {
  if constexpr (std::is_same_v<hn::TFromV<V>, double>) {
    return each_lane(x, exact);
  } else {
    const hn::DFromV<V> d;
    const auto far = hn::Not(abs(x) < constant(x, kTrigHigh));
    const V y = sin_moderate(select(far, constant(x, 0), x), shift);
    if (HWY_LIKELY(hn::AllFalse(d, far))) return y;
    return select(far, each_lane(x, exact), y);
  }
}

template <class V>
HWY_INLINE V sin(V x) {
  const V y = sin_or_cos(x, 0, std::sin);
  return select(x == constant(x, 0), x, y);
}

template <class V>
HWY_INLINE V cos(V x) {
  return sin_or_cos(x, 1, std::cos);
}

/// Float: x P(x^2) up to 1, then 1 - e^Q(|x|), which is 1 from 4 on.
template <class V>
HWY_INLINE V erf(V x) {
  if constexpr (std::is_same_v<hn::TFromV<V>, double>) {
    return each_lane(x, std::erf);
  } else {
    static constexpr double kSmall[] = {
        0.12837916612625122,  -0.3761262595653534,    0.1128358542919159,   -0.026853812858462334,
        0.005188327748328447, -0.0008010194869711995, 7.853865827200934e-05};
    static constexpr double kLarge[] = {
        -0.0003394214145373553, -1.127097487449646,     -0.6381316184997559,   -0.10311782360076904,
        0.02184317074716091,    -0.0029488878790289164, 0.00018649980484042317};
    const V one = constant(x, 1);
    const V a = at_most(abs(x), 4);
    const V small = fma(x, polynomial(x * x, kSmall), x);
    const V large = one - exp(polynomial(a, kLarge));
    return select(a < one, small, hn::CopySign(large, x));
  }
}

}  // namespace math

#define MILGRAD_FN HWY_INLINE
#include "tensor/functors.h"
#undef MILGRAD_FN

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// The function `name`, which HWY_EXPORT made a table of, for the target in use; looked up once.
#undef MILGRAD_DISPATCH
#define MILGRAD_DISPATCH(name)                                                            \
  (*[] {                                                                                  \
    static const auto function = (::milgrad::simd_target(), &HWY_DYNAMIC_DISPATCH(name)); \
    return function;                                                                      \
  }())

#endif  // MILGRAD_BACKENDS_CPU_SIMD_H
