// The known name that a mistyped one probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mil {

/// The name with the fewest insertions, deletions, replacements and swaps of neighbours from
/// `typed`; the first of equals; "" where none is near (more than a third of the letters, and more
/// than two).
std::string nearest(std::string_view typed, const std::vector<std::string>& names);

/// "did you mean NAME?", or "" where none is near.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names);

}  // namespace mil
