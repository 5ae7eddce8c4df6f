// From what the user gave to resolved options: flag over environment over file over default.
#pragma once

#include "examples/mil/options.h"

#include <map>
#include <string>
#include <vector>

namespace mil {

using Environment = std::map<std::string, std::string>;

/// A flag on the command line: the option's name ("epochs") and the text of its value; "true" or
/// "false" for a switch.
struct GivenFlag {
  std::string name;
  std::string text;
};

/// Sets the command's options. Throws UsageError for values that do not fit, options that exclude
/// each other and required ones that are missing, and what apply_config() throws for the file.
void resolve(Command& command, const std::vector<GivenFlag>& flags, const Environment& environment);

/// One sentence for each variable that begins with MIL_ and looks like a mistyped option.
std::vector<std::string> environment_warnings(const Environment& environment);

}  // namespace mil
