// Names Highway's targets and tells Highway which one to dispatch to.
#include "backends/cpu/simd_target.h"

#include "tensor/error.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <hwy/highway.h>

namespace milgrad {
namespace {

struct Target {
  std::string name;
  std::int64_t bit;
};

std::string name_of(std::int64_t target) {
#if HWY_ARCH_X86
  if (target == HWY_AVX3) return "avx512";
#endif
  std::string name = hwy::TargetName(target);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

/// From the plainest, which every machine has that runs this build at all.
const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> found = {{name_of(HWY_STATIC_TARGET), HWY_STATIC_TARGET}};
    std::vector<std::int64_t> bits = hwy::SupportedAndGeneratedTargets();
    std::sort(bits.begin(), bits.end(), std::greater<>());  // a lower bit is a better target
    for (std::int64_t bit : bits)
      if (bit != HWY_STATIC_TARGET) found.push_back({name_of(bit), bit});
    return found;
  }();
  return all;
}

std::string choose() {
  const char* wanted = std::getenv("MILGRAD_SIMD");
  const auto& all = targets();
  const auto found = wanted == nullptr || *wanted == '\0'
                         ? all.end() - 1
                         : std::find_if(all.begin(), all.end(), [&](const Target& target) {
                             return target.name == wanted;
                           });
  if (found == all.end())
    throw ValueError(fmt::format("[simd_target] MILGRAD_SIMD is \"{}\"; expected one of {}", wanted,
                                 fmt::join(simd_targets(), ", ")),
                     "unset it to use the best target of this machine");
  hwy::GetChosenTarget().Update(found->bit);
  return found->name;
}

}  // namespace

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const Target& target : targets()) names.push_back(target.name);
  return names;
}

const std::string& simd_target() {
  static const std::string target = choose();
  return target;
}

}  // namespace milgrad
