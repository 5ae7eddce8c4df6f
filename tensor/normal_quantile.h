// The inverse of the normal distribution function, by basic operations only, so that its bits are
// the same on every machine. Includes nothing of the host.
#pragma once

#include "tensor/philox.h"

#include <cstdint>

namespace milgrad {

/// Coefficients, lowest power first, of a rational function of degree 7.
struct RationalDegree7 {
  double above[8];
  double below[8];

  MILGRAD_DEVICE constexpr double operator()(double x) const {
    double p = above[7], q = below[7];
    for (int i = 6; i >= 0; --i) {
      p = p * x + above[i];
      q = q * x + below[i];
    }
    return p / q;
  }
};

// Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
// Statistics 37 (1988), 477-484, routine PPND16: about 16 digits.
inline constexpr RationalDegree7 kQuantileCentre = {
    {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3},
    {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3}};
inline constexpr RationalDegree7 kQuantileTail = {
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9}};
inline constexpr RationalDegree7 kQuantileFarTail = {
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15}};

/// -log(x) for 0 < x <= 1, from log(m) = 2 artanh((m - 1) / (m + 1)) with m in [0.7, 1.4].
MILGRAD_DEVICE constexpr double negative_log(double x) {
  constexpr double kLog2 = 0.693147180559945309417;
  int halvings = 0;
  while (x < 0.7071067811865476) {
    x *= 2;
    ++halvings;
  }
  const double s = (x - 1) / (x + 1), square = s * s;
  double sum = 0;
  for (int power = 21; power >= 1; power -= 2) sum = sum * square + 2.0 / power;
  return halvings * kLog2 - s * sum;
}

/// z >= 0 with upper tail probability p, for 0 < p <= 1/2.
MILGRAD_DEVICE inline double upper_normal_quantile(double p) {
  const double q = 0.5 - p;
  if (q <= 0.425) return q * kQuantileCentre(0.180625 - q * q);
  const double r = __builtin_sqrt(negative_log(p));
  return r <= 5 ? kQuantileTail(r - 1.6) : kQuantileFarTail(r - 5);
}

/// A standard normal number from 64 bits: the sign and a tail probability (n + 1/2) / 2^64 with
/// n < 2^63, so the largest number is about 9.
MILGRAD_DEVICE inline double standard_normal(std::uint64_t bits) {
  const auto n = static_cast<double>(bits & ~(std::uint64_t{1} << 63));
  const double z = upper_normal_quantile((n + 0.5) * 0x1p-64);
  return bits >> 63 ? -z : z;
}

/// The same limited to [-2, 2]: as if numbers outside were drawn again.
MILGRAD_DEVICE inline double truncated_normal_2(std::uint64_t bits) {
  constexpr double kTail = 0.02275013194817920720;  // P(z > 2)
  const auto n = static_cast<double>(bits & ~(std::uint64_t{1} << 63));
  const double z = upper_normal_quantile(kTail + (0.5 - kTail) * ((n + 0.5) * 0x1p-63));
  return bits >> 63 ? -z : z;
}

/// From one word: the middle of what it leaves open.
MILGRAD_DEVICE constexpr std::uint64_t middle_of(std::uint32_t word) {
  return std::uint64_t{word} << 32 | 0x80000000u;
}
MILGRAD_DEVICE inline double standard_normal(std::uint32_t word) {
  return standard_normal(middle_of(word));
}
MILGRAD_DEVICE inline double truncated_normal_2(std::uint32_t word) {
  return truncated_normal_2(middle_of(word));
}

}  // namespace milgrad
