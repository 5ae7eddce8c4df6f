// The command line of mil: from arguments, environment and configuration file to one command with
// all of its options resolved.
#pragma once

#include "examples/mil/options.h"
#include "examples/mil/resolve.h"

#include <optional>
#include <string>
#include <vector>

namespace mil {

/// What the user asked for: a command, or a text (help, version) to print and be done.
struct Invocation {
  std::optional<Command> command;
  std::string text;
  std::vector<std::string> warnings;
};

/// Resolves flag over environment (MIL_EPOCHS for --epochs) over file (--config) over default.
/// `arguments` come without the program's name. Throws UsageError for what mil does not know or
/// take, naming the nearest known name; FormatError and NotFoundError for the file.
Invocation parse(const std::vector<std::string>& arguments, const Environment& environment);

/// The variables of this process.
Environment process_environment();

/// Whether errors met before or during parse() should be JSON: --json or MIL_JSON.
bool wants_json(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace mil
