// FlushDenormals: numbers too small to be normal count as zero.
#pragma once

#include <cstdint>

namespace milgrad {

/// While it lives, this thread takes denormal numbers (below about 1e-38 in float32) for 0 and
/// gives 0 instead of them, as XLA does. Processors compute with them many times slower, and in
/// training they come of themselves: Adam's moments of weights without a gradient, and weights
/// that L2 shrinks. Threads that compute for this one have to do the same. No effect on processors
/// other than x86-64 and 64-bit ARM.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  std::uint64_t previous_;
};

}  // namespace milgrad
