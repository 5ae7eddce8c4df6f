// Sizes, names and checks of arrays in files.
#include "nn/io/array.h"

#include "tensor/error.h"

#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::io {

static_assert(std::endian::native == std::endian::little,
              "arrays hold little-endian bytes and are read in place");

std::size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::boolean:
    case ElementType::uint8:
      return 1;
    case ElementType::int32:
    case ElementType::float32:
      return 4;
    case ElementType::int64:
    case ElementType::float64:
      break;
  }
  return 8;
}

std::string_view element_name(ElementType type) {
  switch (type) {
    case ElementType::boolean:
      return "bool";
    case ElementType::uint8:
      return "uint8";
    case ElementType::int32:
      return "int32";
    case ElementType::int64:
      return "int64";
    case ElementType::float32:
      return "float32";
    case ElementType::float64:
      break;
  }
  return "float64";
}

std::size_t Array::size() const { return bytes.size() / element_size(type); }

void require_type(ElementType found, ElementType expected) {
  if (found == expected) return;
  throw DTypeError(fmt::format("[values_of] the array holds {}; expected {}", element_name(found),
                               element_name(expected)));
}

void require_count(const std::vector<std::size_t>& dims, std::size_t count) {
  std::size_t expected = 1;
  for (const std::size_t extent : dims) expected *= extent;
  if (expected == count) return;
  throw ShapeError(fmt::format("[make_array] {} values for dims {}; expected {}", count,
                               dims_text(dims), expected));
}

std::size_t checked_size(const std::vector<std::size_t>& dims, std::size_t item,
                         const std::filesystem::path& path) {
  if (dims.size() > kMaximumRank) {
    throw FormatError(
        {path}, fmt::format("an array of rank {}; expected at most {}", dims.size(), kMaximumRank));
  }
  std::size_t size = item;
  bool overflow = false;
  for (const std::size_t extent : dims) {
    overflow = overflow || __builtin_mul_overflow(size, extent, &size);
  }
  if (overflow) {
    throw FormatError({path},
                      fmt::format("an array of dims {} is too large to address", dims_text(dims)));
  }
  return size;
}

std::string dims_text(const std::vector<std::size_t>& dims) {
  return dims.size() == 1 ? fmt::format("({},)", dims[0])
                          : fmt::format("({})", fmt::join(dims, ", "));
}

}  // namespace milgrad::io
