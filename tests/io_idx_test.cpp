// IDX and gzip reading, SHA-256: round trips, real files, and the text of every refusal.
#include "nn/io/gzip.h"
#include "nn/io/idx.h"
#include "nn/io/sha256.h"
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
using milgrad::io::gzip;
using milgrad::io::idx_bytes;
using milgrad::io::parse_idx;
using milgrad::test::TemporaryDirectory;

const Array kSmall{ElementType::uint8, {2, 1, 3}, {1, 2, 3, 4, 5, 6}};

Bytes first(const Bytes& bytes, std::size_t count) {
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
}

Bytes header(std::initializer_list<std::uint32_t> extents) {
  Bytes bytes{0, 0, 8, static_cast<std::uint8_t>(extents.size())};
  for (const std::uint32_t extent : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<std::uint8_t>(extent >> shift));
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("io sha256: the published vectors") {
  // FIPS 180-4's examples: "abc", the empty message and a million times "a".
  const auto hash = [](const std::string& text) {
    return milgrad::io::sha256(Bytes(text.begin(), text.end()));
  };
  CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  milgrad::io::Sha256 pieces;
  pieces.update(Bytes{'a'}).update(Bytes{}).update(Bytes{'b', 'c'});
  CHECK(pieces.hex() == hash("abc"));
  const TemporaryDirectory folder;
  milgrad::test::write_file(folder / "abc", "abc");
  CHECK(milgrad::io::sha256_of_file(folder / "abc") == hash("abc"));
}

TEST_CASE("io idx: plain and gzipped round trip") {
  CHECK(idx_bytes(kSmall) ==
        Bytes{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6});
  CHECK(parse_idx(idx_bytes(kSmall), "f") == kSmall);
  CHECK(parse_idx(gzip(idx_bytes(kSmall)), "f") == kSmall);
  const Array empty{ElementType::uint8, {0}, {}};
  CHECK(parse_idx(idx_bytes(empty), "f") == empty);
  const TemporaryDirectory folder;
  milgrad::io::write_idx(folder / "a", kSmall);
  CHECK(milgrad::io::read_idx(folder / "a") == kSmall);
  CHECK(milgrad::io::idx_sha256(kSmall) == milgrad::io::sha256(idx_bytes(kSmall)));
}

TEST_CASE("io idx: a wrong header is refused") {
  CHECK_THROWS_WITH_AS(parse_idx({}, "f"),
                       "f: the file ends within the header, after 0 bytes; expected an IDX file",
                       FormatError);
  CHECK_THROWS_WITH_AS(parse_idx(Bytes{0x89, 'P', 'N', 'G', 1}, "f"),
                       "f: byte 0: expected an IDX file, which begins with 0000, found 8950",
                       FormatError);
  CHECK_THROWS_WITH_AS(parse_idx(Bytes{0, 0, 0x0d, 1, 0, 0, 0, 0}, "f"),
                       "f: byte 2: expected IDX element type 0x08 (unsigned bytes), found 0x0d",
                       FormatError);
  CHECK_THROWS_WITH_AS(parse_idx(Bytes{0, 0, 8, 0}, "f"),
                       "f: byte 3: expected 1 to 3 dimensions, found 0", FormatError);
  CHECK_THROWS_WITH_AS(parse_idx(Bytes{0, 0, 8, 200}, "f"),
                       "f: byte 3: expected 1 to 3 dimensions, found 200", FormatError);
  CHECK_THROWS_WITH_AS(parse_idx(first(idx_bytes(kSmall), 10), "f"),
                       "f: the file ends within the header, after 10 bytes; expected 16 for 3 "
                       "dimensions",
                       FormatError);
}

TEST_CASE("io idx: sizes that do not fit are refused before they are allocated") {
  Bytes huge = header({4294967295u, 4294967295u, 4294967295u});
  huge.resize(500);
  CHECK_THROWS_WITH_AS(parse_idx(huge, "f"),
                       "f: an array of dims (4294967295, 4294967295, 4294967295) is too large to "
                       "address",
                       FormatError);
  Bytes large = header({60000, 28, 28});
  CHECK_THROWS_WITH_AS(parse_idx(large, "f"),
                       "f: the header claims dims (60000, 28, 28) = 47040000 bytes; a file of 16 "
                       "bytes cannot hold them",
                       FormatError);
  const Bytes packed = gzip(large);
  CHECK_THROWS_WITH_AS(parse_idx(packed, "f"), doctest::Contains("cannot hold them"), FormatError);
}

TEST_CASE("io idx: cut short at any byte, and trailing bytes") {
  const Bytes whole = idx_bytes(kSmall);
  for (std::size_t count = 0; count < whole.size(); ++count) {
    CHECK_THROWS_AS(parse_idx(first(whole, count), "f"), FormatError);
  }
  CHECK_THROWS_WITH_AS(parse_idx(first(gzip(whole), 15), "f"),
                       "f: the gzip stream is cut short after 15 bytes", FormatError);
  const Bytes packed = gzip(whole);
  for (std::size_t count = 0; count < packed.size(); ++count) {
    CHECK_THROWS_AS(parse_idx(first(packed, count), "f"), FormatError);
  }
  Bytes missing_value = whole;
  missing_value.pop_back();
  CHECK_THROWS_WITH_AS(parse_idx(gzip(missing_value), "f"),
                       "f: the file is cut short: dims (2, 1, 3) need 6 bytes after the header, "
                       "found 5",
                       FormatError);
  Bytes longer = whole;
  longer.push_back(0);
  const char* trailing =
      "f: byte 22: more bytes follow; expected the end of the file after dims (2, 1, 3)";
  CHECK_THROWS_WITH_AS(parse_idx(longer, "f"), trailing, FormatError);
  CHECK_THROWS_WITH_AS(parse_idx(gzip(longer), "f"), trailing, FormatError);
}

TEST_CASE("io idx: a corrupt gzip stream is refused or gives the same array") {
  const Bytes packed = gzip(idx_bytes(kSmall));
  Bytes longer = packed;
  longer.push_back('x');
  CHECK_THROWS_WITH_AS(parse_idx(longer, "f"), doctest::Contains("1 bytes follow the gzip stream"),
                       FormatError);
  Bytes wrong_sum = packed;
  wrong_sum[wrong_sum.size() - 8] ^= 1;
  CHECK_THROWS_WITH_AS(parse_idx(wrong_sum, "f"),
                       doctest::Contains("the gzip stream is corrupt (incorrect data check)"),
                       FormatError);
  int refused = 0;
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    Bytes flipped = packed;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    try {
      const Array array = parse_idx(flipped, "f");
      CHECK(array == kSmall);
    } catch (const FormatError&) {
      ++refused;
    }
  }
  // Only the header's time, flags and system bytes carry nothing that is checked.
  CHECK(refused > static_cast<int>(packed.size() * 8) - 60);
}

TEST_CASE("io idx: what the format cannot hold is not written") {
  CHECK_THROWS_WITH_AS(idx_bytes({ElementType::float32, {1}, {0, 0, 0, 0}}),
                       "[values_of] the array holds float32; expected uint8", milgrad::DTypeError);
  CHECK_THROWS_WITH_AS(idx_bytes({ElementType::uint8, {}, {1}}),
                       "[idx] an array of dims (); expected 1 to 3 dimensions",
                       milgrad::ShapeError);
}
