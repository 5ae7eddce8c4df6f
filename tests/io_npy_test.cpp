// .npy files: what NumPy writes byte for byte, real files, and the text of every refusal.
#include "nn/io/npy.h"
#include "tensor/error.h"
#include "tests/support.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using milgrad::FormatError;
using milgrad::io::Array;
using milgrad::io::Bytes;
using milgrad::io::ElementType;
using milgrad::io::make_array;
using milgrad::io::npy_bytes;
using milgrad::io::parse_npy;

// A file of format 1.0 with that header (padded by nothing) and that many zero bytes of values.
Bytes file_with(const std::string& header, std::size_t values = 0) {
  std::string text = "\x93NUMPY";
  text += {1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  text += header;
  text.append(values, '\0');
  return Bytes(text.begin(), text.end());
}

std::string refusal(const Bytes& bytes) {
  try {
    parse_npy(bytes, "f.npy");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

std::string header(const std::string& type, const std::string& order, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("io npy: the bytes that numpy.save writes") {
  // numpy.save(f, numpy.array([[1, 2, 3]], '<f4')) with NumPy 2.4.6.
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
  expected.resize(127, ' ');
  expected += "\n";
  expected += std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 12);
  CHECK(npy_bytes(make_array<float>({1, 3}, {1, 2, 3})) == Bytes(expected.begin(), expected.end()));
}

TEST_CASE("io npy: every type and rank is read back") {
  const std::vector<Array> arrays{
      make_array<float>({2, 1}, {1.5f, -0.0f}),
      make_array<double>({}, {0.1}),
      make_array<std::int32_t>({1}, {-7}),
      make_array<std::int64_t>({0, 3}, std::vector<std::int64_t>{}),
      make_array<std::uint8_t>({1, 1, 1, 1, 1, 2}, {0, 255}),
      Array{ElementType::boolean, {2}, {1, 0}},
  };
  const milgrad::test::TemporaryDirectory folder;
  for (const Array& array : arrays) {
    CHECK(parse_npy(npy_bytes(array), "f") == array);
    CHECK(npy_bytes(array).size() % 64 == array.bytes.size() % 64);
    milgrad::io::write_npy(folder / "a.npy", array);
    CHECK(milgrad::io::read_npy(folder / "a.npy") == array);
  }
  const Array same =
      parse_npy(file_with("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"|u1\"}", 2), "f");
  CHECK(same == make_array<std::uint8_t>({2}, {0, 0}));
}

TEST_CASE("io npy: types and orders that are not read") {
  const std::string known = "; expected one of |b1 |u1 <i4 <i8 <f4 <f8";
  CHECK(refusal(file_with(header("|O", "False", "(1,)"), 8)) ==
        "f.npy: byte 20, in the header: the type \"|O\"" + known);
  CHECK(refusal(file_with(header(">f4", "False", "(1,)"), 4)) ==
        "f.npy: byte 20, in the header: the type \">f4\"" + known);
  CHECK(refusal(file_with(header("<f4", "True", "(1,)"), 4)) ==
        "f.npy: byte 44, in the header: Fortran order; expected C order");
  CHECK(refusal(file_with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4)) ==
        "f.npy: byte 20, in the header: a structured type; expected a plain one");
}

TEST_CASE("io npy: a header that is not NumPy's literal is refused") {
  CHECK(refusal(file_with("__import__('os')")) == "f.npy: byte 10, in the header: expected \"{\"");
  CHECK(refusal(file_with("{'descr': '<f4'}")) ==
        "f.npy: byte 26, in the header: expected the keys descr, fortran_order, shape");
  CHECK(refusal(file_with("{'descr': '<f4', 'descr': '<f8'}")) ==
        "f.npy: byte 27, in the header: the key \"descr\", unknown or repeated");
  CHECK(refusal(file_with("{'sort': 1}")) ==
        "f.npy: byte 11, in the header: the key \"sort\", unknown or repeated");
  CHECK(refusal(file_with("{'descr: 1")) == "f.npy: byte 11, in the header: a text without an end");
  CHECK(refusal(file_with("{descr")) == "f.npy: byte 11, in the header: expected a quoted text");
  CHECK(refusal(file_with("{'descr': '<f4' 'shape'")) ==
        "f.npy: byte 26, in the header: expected \",\" or \"}\"");
  CHECK(refusal(file_with("{'shape': (-1,)")) ==
        "f.npy: byte 21, in the header: expected an extent");
  CHECK(refusal(file_with("{'shape': (99999999999999999999,)")) ==
        "f.npy: byte 21, in the header: expected an extent");
  CHECK(refusal(file_with("{'shape': (1 2)")) ==
        "f.npy: byte 23, in the header: expected \",\" or \")\"");
  CHECK(refusal(file_with("{'fortran_order': 0")) ==
        "f.npy: byte 28, in the header: expected True or False");
  CHECK(refusal(file_with(header("<f4", "False", "()") + "x", 4)) ==
        "f.npy: byte 66, in the header: expected the end of the header");
}

TEST_CASE("io npy: sizes that do not fit are refused before they are allocated") {
  CHECK(refusal(file_with(header("<f4", "False", "(2,)"), 7)) ==
        "f.npy: float32 values of dims (2,) need 8 bytes after the header, found 7");
  CHECK(refusal(file_with(header("<f4", "False", "(2,)"), 9)) ==
        "f.npy: float32 values of dims (2,) need 8 bytes after the header, found 9");
  CHECK(refusal(file_with(header("<f8", "False", "(4294967296, 4294967296)"))) ==
        "f.npy: an array of dims (4294967296, 4294967296) is too large to address");
  CHECK(refusal(file_with(header("|u1", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), 1)) ==
        "f.npy: an array of rank 9; expected at most 8");
  Bytes two = file_with(header("|b1", "False", "(1,)"), 1);
  two.back() = 2;
  CHECK(refusal(two) == "f.npy: byte 68: a bool of 2; expected 0 or 1");
}

TEST_CASE("io npy: what is not .npy, and files cut short") {
  CHECK(refusal({}) == "f.npy: byte 0: expected a .npy file, which begins with \\x93NUMPY");
  CHECK(refusal(Bytes{'P', 'K', 3, 4}) ==
        "f.npy: byte 0: expected a .npy file, which begins with \\x93NUMPY");
  Bytes version = npy_bytes(make_array<float>({}, {1}));
  version[6] = 9;
  CHECK(refusal(version) == "f.npy: byte 6: expected format version 1 to 3, found 9");
  std::string long_header("\x93NUMPY\x02\x00\x01\x00\x01\x00", 12);
  CHECK(refusal(Bytes(long_header.begin(), long_header.end())) ==
        "f.npy: byte 8: a header of 65537 bytes; expected at most 65536");
  const Bytes whole = npy_bytes(make_array<float>({2}, {1, 2}));
  for (std::size_t count = 0; count < whole.size(); ++count) {
    CHECK(refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(count))) !=
          "accepted");
  }
  for (std::size_t bit = 0; bit < 128 * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    refusal(flipped);
  }
}

TEST_CASE("io npy: a real data set is read") {
  const auto musk = milgrad::test::data_or_skip("classic/musk1");
  const Array x = milgrad::io::read_npy(musk / "X.npy");
  CHECK(x.dims == std::vector<std::size_t>{476, 166});
  const auto offsets =
      milgrad::io::values_of<std::int64_t>(milgrad::io::read_npy(musk / "offsets.npy"));
  CHECK(offsets.size() == 93);
}
