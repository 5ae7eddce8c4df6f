// The one list of what can be told to mil: flags, environment variables, file keys, the recorded
// configuration and the help texts are all made from it.
#pragma once

#include "examples/mil/option.h"
#include "examples/mil/options.h"

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mil {

/// A command's name as typed ("data fetch"), what it does, and lines to copy.
struct CommandDescription {
  std::string_view name;
  std::string_view purpose;
  std::vector<std::string_view> examples;
};

/// One of each command, with defaults.
std::vector<Command> every_command();

/// The same command with defaults.
Command default_of(const Command& command);

CommandDescription describe(const Command& command);

/// The command's options; each points into `command`.
std::vector<Option> options_of(Command& command);

/// All flags of the command: --help, --epochs, --gated, --no-gated, ...
std::vector<std::string> flag_names(Command command);

const CommonOptions& common_options(const Command& command);
CommonOptions& common_options(Command& command);

/// The resolved values by file key: what metrics.json and the weights record.
nlohmann::json configuration(Command command);

}  // namespace mil
