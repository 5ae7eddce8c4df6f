// The help texts, made from the table of options.
#pragma once

#include "examples/mil/options.h"

#include <string>

namespace mil {

/// `mil --help`.
std::string program_help();

/// `mil data --help`: the commands whose names begin with `group`.
std::string group_help(const std::string& group);

/// `mil train --help`: examples first, then usage and the options by group with their defaults.
std::string command_help(Command command);

/// "mil 0.1.0".
std::string version_text();

}  // namespace mil
