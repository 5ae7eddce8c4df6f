// An array as files hold it: element type, extents and the values as little-endian bytes in C
// order.
#pragma once

#include "nn/io/file.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad::io {

enum class ElementType { boolean, uint8, int32, int64, float32, float64 };

constexpr std::size_t kMaximumRank = 8;

/// Bytes per element.
std::size_t element_size(ElementType type);

/// "bool", "uint8", "int32", "int64", "float32" or "float64".
std::string_view element_name(ElementType type);

/// bytes.size() is the product of dims times element_size(type); no dims mean a scalar.
struct Array {
  ElementType type = ElementType::float32;
  std::vector<std::size_t> dims;
  Bytes bytes;

  bool operator==(const Array&) const = default;
  std::size_t size() const;
};

template <class T>
constexpr ElementType element_type_of();
template <>
constexpr ElementType element_type_of<bool>() {
  return ElementType::boolean;
}
template <>
constexpr ElementType element_type_of<std::uint8_t>() {
  return ElementType::uint8;
}
template <>
constexpr ElementType element_type_of<std::int32_t>() {
  return ElementType::int32;
}
template <>
constexpr ElementType element_type_of<std::int64_t>() {
  return ElementType::int64;
}
template <>
constexpr ElementType element_type_of<float>() {
  return ElementType::float32;
}
template <>
constexpr ElementType element_type_of<double>() {
  return ElementType::float64;
}

/// Throws DTypeError unless `found` is `expected`.
void require_type(ElementType found, ElementType expected);

/// Throws ShapeError unless `count` values fill `dims`.
void require_count(const std::vector<std::size_t>& dims, std::size_t count);

/// An array of `dims` that holds a copy of the values.
template <class T>
Array make_array(std::vector<std::size_t> dims, std::span<const T> values) {
  require_count(dims, values.size());
  Array array{element_type_of<T>(), std::move(dims), Bytes(values.size_bytes())};
  if (!values.empty()) std::memcpy(array.bytes.data(), values.data(), values.size_bytes());
  return array;
}
template <class T>
Array make_array(std::vector<std::size_t> dims, const std::vector<T>& values) {
  return make_array(std::move(dims), std::span<const T>(values));
}

/// The values of an array whose element type is T; throws DTypeError otherwise.
template <class T>
std::span<const T> values_of(const Array& array) {
  require_type(array.type, element_type_of<T>());
  return {reinterpret_cast<const T*>(array.bytes.data()), array.bytes.size() / sizeof(T)};
}

/// The product of dims times `item` bytes. Throws FormatError naming `path` where it overflows or
/// where the rank is above kMaximumRank; for sizes that come from a file.
std::size_t checked_size(const std::vector<std::size_t>& dims, std::size_t item,
                         const std::filesystem::path& path);

/// "(2, 5)", "(3,)" or "()".
std::string dims_text(const std::vector<std::size_t>& dims);

}  // namespace milgrad::io
