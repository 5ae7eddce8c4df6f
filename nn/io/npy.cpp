// Reading and writing .npy. The header is a Python dictionary in text; only the form that NumPy
// writes is parsed, nothing is evaluated.
#include "nn/io/npy.h"

#include "tensor/error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::io {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLongestHeader = std::size_t{64} << 10;
// numpy.save pads the header so that the values begin at a multiple of this.
constexpr std::size_t kAlignment = 64;

constexpr std::array<std::pair<std::string_view, ElementType>, 6> kDescriptions{{
    {"|b1", ElementType::boolean},
    {"|u1", ElementType::uint8},
    {"<i4", ElementType::int32},
    {"<i8", ElementType::int64},
    {"<f4", ElementType::float32},
    {"<f8", ElementType::float64},
}};

std::optional<ElementType> type_of(std::string_view description) {
  for (const auto& [text, type] : kDescriptions) {
    if (text == description) return type;
  }
  return std::nullopt;
}

std::string_view description_of(ElementType type) {
  for (const auto& [text, candidate] : kDescriptions) {
    if (candidate == type) return text;
  }
  return {};
}

// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } with its keys in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::size_t begin, const std::filesystem::path& path)
      : text_(text), begin_(begin), path_(path) {}

  Array parse() {
    expect('{');
    while (!accept('}')) {
      read_item();
      if (!accept(',') && peek() != '}') fail("expected \",\" or \"}\"");
    }
    skip_space();
    if (place_ != text_.size()) fail("expected the end of the header");
    if (!type_ || !fortran_order_ || !dims_) fail("expected the keys descr, fortran_order, shape");
    return {*type_, *dims_, {}};
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError({path_}, fmt::format("byte {}, in the header: {}", begin_ + place_, what));
  }

  void skip_space() {
    while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\n')) ++place_;
  }
  char peek() {
    skip_space();
    return place_ < text_.size() ? text_[place_] : '\0';
  }
  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++place_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("expected \"{}\"", wanted));
  }

  std::string_view quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("expected a quoted text");
    const std::size_t end = text_.find(quote, place_ + 1);
    if (end == std::string_view::npos) fail("a text without an end");
    const std::string_view content = text_.substr(place_ + 1, end - place_ - 1);
    place_ = end + 1;
    return content;
  }

  void read_item() {
    peek();
    const std::size_t begin = place_;
    const std::string_view key = quoted();
    expect(':');
    if (key == "descr" && !type_) {
      read_type();
    } else if (key == "fortran_order" && !fortran_order_) {
      read_order();
    } else if (key == "shape" && !dims_) {
      read_dims();
    } else {
      place_ = begin;
      fail(fmt::format("the key \"{}\", unknown or repeated", key));
    }
  }

  void read_type() {
    if (peek() == '[') fail("a structured type; expected a plain one");
    const std::size_t begin = place_;
    const std::string_view description = quoted();
    type_ = type_of(description);
    if (!type_) {
      std::vector<std::string_view> known;
      for (const auto& entry : kDescriptions) known.push_back(entry.first);
      place_ = begin;
      fail(fmt::format("the type \"{}\"; expected one of {}", description, fmt::join(known, " ")));
    }
  }

  void read_order() {
    skip_space();
    if (text_.substr(place_).starts_with("True")) fail("Fortran order; expected C order");
    if (!text_.substr(place_).starts_with("False")) fail("expected True or False");
    place_ += std::string_view("False").size();
    fortran_order_ = false;
  }

  void read_dims() {
    expect('(');
    std::vector<std::size_t> dims;
    while (!accept(')')) {
      peek();
      std::size_t extent = 0;
      const char* first = text_.data() + place_;
      const auto [last, error] = std::from_chars(first, text_.data() + text_.size(), extent);
      if (error != std::errc{}) fail("expected an extent");
      place_ += static_cast<std::size_t>(last - first);
      dims.push_back(extent);
      if (!accept(',') && peek() != ')') fail("expected \",\" or \")\"");
    }
    dims_ = std::move(dims);
  }

  std::string_view text_;
  std::size_t begin_;
  const std::filesystem::path& path_;
  std::size_t place_ = 0;
  std::optional<ElementType> type_;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<std::size_t>> dims_;
};

struct HeaderPlace {
  std::size_t begin;
  std::size_t size;
};

HeaderPlace find_header(std::span<const std::uint8_t> bytes, const std::filesystem::path& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) {
    throw FormatError({path}, "byte 0: expected a .npy file, which begins with \\x93NUMPY");
  }
  if (bytes.size() < 10) throw FormatError({path}, "the file ends within the header");
  const int version = bytes[6];
  if (version < 1 || version > 3) {
    throw FormatError({path},
                      fmt::format("byte 6: expected format version 1 to 3, found {}", version));
  }
  const std::size_t length_size = version == 1 ? 2 : 4;
  const std::size_t begin = kMagic.size() + 2 + length_size;
  std::size_t size = 0;
  for (std::size_t i = 0; i < length_size && begin <= bytes.size(); ++i) {
    size |= std::size_t{bytes[8 + i]} << (8 * i);
  }
  if (size > kLongestHeader) {
    throw FormatError({path}, fmt::format("byte 8: a header of {} bytes; expected at most {}", size,
                                          kLongestHeader));
  }
  if (begin + size > bytes.size()) throw FormatError({path}, "the file ends within the header");
  return {begin, size};
}

}  // namespace

Array parse_npy(std::span<const std::uint8_t> bytes, const std::filesystem::path& path) {
  const HeaderPlace header = find_header(bytes, path);
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + header.begin;
  Array array = HeaderParser({text, header.size}, header.begin, path).parse();
  const std::size_t size = checked_size(array.dims, element_size(array.type), path);
  const auto values = bytes.subspan(header.begin + header.size);
  if (values.size() != size) {
    throw FormatError(
        {path}, fmt::format("{} values of dims {} need {} bytes after the header, "
                            "found {}",
                            element_name(array.type), dims_text(array.dims), size, values.size()));
  }
  array.bytes.assign(values.begin(), values.end());
  const auto bad = std::find_if(values.begin(), values.end(), [](auto value) { return value > 1; });
  if (array.type == ElementType::boolean && bad != values.end()) {
    throw FormatError({path}, fmt::format("byte {}: a bool of {}; expected 0 or 1",
                                          header.begin + header.size +
                                              static_cast<std::size_t>(bad - values.begin()),
                                          *bad));
  }
  return array;
}

Array read_npy(const std::filesystem::path& path) { return parse_npy(read_file(path), path); }

Bytes npy_bytes(const Array& array) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                   description_of(array.type), dims_text(array.dims));
  const std::size_t before = kMagic.size() + 4;
  // The newline that ends the header is its last byte.
  const std::size_t end = (before + header.size() + kAlignment) / kAlignment * kAlignment;
  header.resize(end - before - 1, ' ');
  header += '\n';
  std::string text(kMagic);
  text += {1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  text += header;
  Bytes bytes(text.begin(), text.end());
  bytes.insert(bytes.end(), array.bytes.begin(), array.bytes.end());
  return bytes;
}

void write_npy(const std::filesystem::path& path, const Array& array) {
  write_file(path, npy_bytes(array));
}

}  // namespace milgrad::io
