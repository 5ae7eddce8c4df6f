// Which instruction set the CPU kernels use: chosen once, at the first kernel that has a choice.
#pragma once

#include <string>
#include <vector>

namespace milgrad {

/// The targets that this build holds and this machine can run, from the plainest to the best; on
/// x86-64 "sse4", "avx2" and "avx512".
std::vector<std::string> simd_targets();

/// The one in use: the best, or the one that the environment variable MILGRAD_SIMD names. That is
/// read once; a name that is not in simd_targets() is a ValueError, here and in every kernel.
const std::string& simd_target();

}  // namespace milgrad
