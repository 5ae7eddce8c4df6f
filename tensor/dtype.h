// The element types of a tensor and the dispatch from a run-time DType to a C++ type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace milgrad {

enum class DType : std::uint8_t { float32, float64, int32, int64, uint8, boolean };

/// A set of dtypes, as an op declares the ones it takes.
class DTypes {
 public:
  constexpr DTypes() = default;
  constexpr DTypes(DType dtype) : bits_(1u << static_cast<unsigned>(dtype)) {}  // NOLINT: a set
  constexpr DTypes operator|(DTypes other) const { return DTypes(bits_ | other.bits_, 0); }
  constexpr bool contains(DType dtype) const {
    return (bits_ >> static_cast<unsigned>(dtype)) & 1u;
  }
  constexpr bool operator==(const DTypes&) const = default;

 private:
  constexpr DTypes(unsigned bits, int) : bits_(bits) {}
  unsigned bits_ = 0;
};

inline constexpr DTypes kFloating = DTypes(DType::float32) | DType::float64;
inline constexpr DTypes kIndex = DTypes(DType::int32) | DType::int64;
inline constexpr DTypes kIntegral = kIndex | DType::uint8;
inline constexpr DTypes kSigned = kFloating | kIndex;
inline constexpr DTypes kNumeric = kFloating | kIntegral;
inline constexpr DTypes kBoolean = DTypes(DType::boolean);
inline constexpr DTypes kAnyDType = kNumeric | DType::boolean;

std::size_t size_of(DType dtype);
/// "float32", "bool", ...
const char* name_of(DType dtype);
/// "float32, float64".
std::string to_string(DTypes dtypes);
constexpr bool is_floating(DType dtype) { return kFloating.contains(dtype); }

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::float32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::float64;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return DType::int32;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return DType::int64;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return DType::uint8;
  else {
    static_assert(std::is_same_v<T, bool>, "no tensor holds this type");
    return DType::boolean;
  }
}

/// Calls f.template operator()<T>() for the element type of `dtype`.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f.template operator()<float>();
    case DType::float64:
      return f.template operator()<double>();
    case DType::int32:
      return f.template operator()<std::int32_t>();
    case DType::int64:
      return f.template operator()<std::int64_t>();
    case DType::uint8:
      return f.template operator()<std::uint8_t>();
    case DType::boolean:
      break;
  }
  return f.template operator()<bool>();
}

/// The same for the two floating dtypes; `infer` has refused all others before a kernel runs.
template <class F>
decltype(auto) visit_floating(DType dtype, F&& f) {
  return dtype == DType::float64 ? f.template operator()<double>() : f.template operator()<float>();
}

}  // namespace milgrad
