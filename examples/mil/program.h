// The whole program behind main(): parse, run, report.
#pragma once

#include "examples/mil/cli.h"

#include <string>
#include <vector>

namespace mil {

/// Runs the command line (without the program's name) and returns the exit status. Never throws.
int run_program(const std::vector<std::string>& arguments, const Environment& environment) noexcept;

/// For std::set_terminate: reports the exception in flight as an internal error and exits.
[[noreturn]] void report_and_exit() noexcept;

}  // namespace mil
