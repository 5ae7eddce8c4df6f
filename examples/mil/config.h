// Configuration files: TOML, keys for every command at the top and a section for each command
// ([train], [data.fetch]).
#pragma once

#include "examples/mil/options.h"

#include <string>

namespace mil {

/// Sets the command's options from the file's top level and from the command's section, which wins.
/// The whole file is checked, for every command: what is not TOML, unknown sections and keys (the
/// nearest known one is named) and values that do not fit are FormatErrors with their place. A file
/// that cannot be read is a NotFoundError.
void apply_config(const std::string& path, Command& command);

}  // namespace mil
