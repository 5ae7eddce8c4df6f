// Parse, run, report.
#include "examples/mil/program.h"

#include "examples/mil/commands.h"
#include "examples/mil/console.h"
#include "examples/mil/errors.h"
#include "examples/mil/help.h"
#include "examples/mil/option_table.h"
#include "examples/mil/report.h"
#include "examples/mil/signals.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

std::optional<std::int64_t> seed_of(const Command& command) {
  const nlohmann::json values = configuration(command);
  const auto seed = values.find("seed");
  if (seed == values.end()) return std::nullopt;
  return seed->get<std::int64_t>();
}

int run(const std::vector<std::string>& arguments, const Environment& environment,
        std::optional<Console>& console, RunIdentity& identity) {
  const Invocation invocation = parse(arguments, environment);
  if (!invocation.command) {
    std::fwrite(invocation.text.data(), 1, invocation.text.size(), stdout);
    console->flush();
    return 0;
  }
  const Command& command = *invocation.command;
  console.emplace(console_settings(common_options(command), environment));
  identity.seed = seed_of(command);
  for (const std::string& warning : invocation.warnings) console->warning(warning);
  const ExitCode code =
      std::visit([&](const auto& options) { return run_command(options, *console); }, command);
  console->flush();
  return stop_signal() != 0 ? 128 + stop_signal() : static_cast<int>(code);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, const Environment& environment) noexcept
    try {
  CommonOptions before_parsing;
  before_parsing.json = wants_json(arguments, environment);
  std::optional<Console> console(console_settings(before_parsing, environment));
  RunIdentity identity{arguments, {}};
  try {
    return run(arguments, environment, console, identity);
  } catch (const std::exception& error) {
    const Diagnostic diagnostic = diagnose(error, identity);
    console->error(diagnostic);
    return static_cast<int>(diagnostic.code);
  }
} catch (const std::bad_alloc&) {
  // Not even the message fitted into memory.
  std::fputs("mil: error: out of memory\n", stderr);
  return static_cast<int>(ExitCode::no_memory);
} catch (...) {
  report_and_exit();
}

void report_and_exit() noexcept {
  std::string what = "terminated without an exception";
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "an exception of unknown type";
  }
  fmt::print(stderr, "mil: error: internal error: {}\nhint: this is a bug of {}\n", what,
             version_text());
  std::_Exit(static_cast<int>(ExitCode::internal));
}

}  // namespace mil
