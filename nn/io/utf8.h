// Is a text valid UTF-8 (RFC 3629)?
#pragma once

#include <string_view>

namespace milgrad::io {

/// False for stray, missing or overlong bytes, surrogates and code points above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace milgrad::io
