// Where a tensor lives and where its operations run.
#pragma once

#include <string>

namespace milgrad {

struct Device {
  enum class Kind { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;

  static constexpr Device cpu() { return {}; }
  static constexpr Device cuda(int index = 0) { return {Kind::cuda, index}; }
  bool operator==(const Device&) const = default;

  /// "cpu", "cuda:0".
  std::string to_string() const {
    return kind == Kind::cpu ? "cpu" : "cuda:" + std::to_string(index);
  }
};

}  // namespace milgrad
