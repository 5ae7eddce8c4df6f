// FlushDenormals: numbers too small to be normal count as zero.
#pragma once

#include <cstdint>

namespace milgrad {

/// While it lives, this thread takes denormal numbers (below about 1e-38 in float32) for 0 and
/// gives 0 instead of them, as XLA does. Processors compute with them many times slower, and in
/// training they come of themselves: Adam's moments of weights without a gradient, and weights
/// that L2 shrinks. No effect on processors other than x86-64 and 64-bit ARM.
class FlushDenormals {
 public:
  /// False: keeps denormal numbers. A thread that computes for another one takes over active() of
  /// that one.
  explicit FlushDenormals(bool flush = true);
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

  /// Whether this thread flushes.
  static bool active();

 private:
  std::uint64_t previous_;
};

}  // namespace milgrad
