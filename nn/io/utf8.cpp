// UTF-8 checked by decoding.
#include "nn/io/utf8.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace milgrad::io {

namespace {

// Bytes after the first one, or -1 where no sequence begins with this byte.
int continuation_bytes(std::uint8_t first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  if (first >= 0xf0 && first < 0xf5) return 3;
  return -1;
}

}  // namespace

bool is_utf8(std::string_view text) {
  // The smallest code point that needs so many continuation bytes.
  constexpr std::array<std::uint32_t, 4> kSmallest{0, 0x80, 0x800, 0x10000};
  std::size_t i = 0;
  while (i < text.size()) {
    const auto first = static_cast<std::uint8_t>(text[i++]);
    const int count = continuation_bytes(first);
    if (count < 0 || text.size() - i < static_cast<std::size_t>(count)) return false;
    std::uint32_t code = count == 0 ? first : first & (0x3fu >> count);
    for (int k = 0; k < count; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (surrogate || code > 0x10ffff || code < kSmallest[static_cast<std::size_t>(count)]) {
      return false;
    }
  }
  return true;
}

}  // namespace milgrad::io
