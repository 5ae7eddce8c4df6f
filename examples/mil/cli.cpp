// The command line, read with CLI11; values, ranges and texts come from the table of options.
#include "examples/mil/cli.h"

#include "examples/mil/errors.h"
#include "examples/mil/help.h"
#include "examples/mil/option_table.h"
#include "nn/names.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace mil {
namespace {

/// A command beside its part of the CLI11 parser.
struct Branch {
  Command command;
  CLI::App* app = nullptr;
  std::vector<CLI::Option*> given;  // one for each option of the table
};

struct Parser {
  CLI::App app;
  std::vector<Branch> branches;
};

CLI::Option* declare(CLI::App& app, const Option& option) {
  std::string names = flag_name(option);
  if (option.letter != 0) names += fmt::format(",-{}", option.letter);
  if (std::holds_alternative<Switch>(option.value)) {
    names += fmt::format(",!--no-{}", option.name);
    return app.add_flag(names)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  if (option.positional) names += "," + option.name;
  return app.add_option(names)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

/// The parser of "data fetch" stands below that of "data".
CLI::App* subcommand(CLI::App& app, std::string_view name) {
  const std::size_t space = name.find(' ');
  const std::string first(name.substr(0, space));
  const auto known = app.get_subcommands(
      [&](const CLI::App* known_app) { return known_app->get_name() == first; });
  CLI::App* below = known.empty() ? nullptr : known.front();
  if (below == nullptr) {
    below = app.add_subcommand(first);
    below->allow_extras();
    below->set_help_flag("-h,--help");
  }
  return space == std::string_view::npos ? below : subcommand(*below, name.substr(space + 1));
}

std::unique_ptr<Parser> make_parser() {
  auto parser = std::make_unique<Parser>();
  parser->app.allow_extras();
  parser->app.set_help_flag("-h,--help");
  parser->app.set_version_flag("--version", version_text());
  for (Command& command : every_command()) {
    Branch branch{std::move(command), nullptr, {}};
    branch.app = subcommand(parser->app, describe(branch.command).name);
    for (const Option& option : options_of(branch.command)) {
      branch.given.push_back(declare(*branch.app, option));
    }
    parser->branches.push_back(std::move(branch));
  }
  return parser;
}

/// "mil", "mil data" or "mil train": how far the arguments named commands.
std::string path_of(const CLI::App& app) {
  const std::string name = app.get_name();
  return app.get_parent() == nullptr ? "mil" : path_of(*app.get_parent()) + " " + name;
}

[[noreturn]] void fail_unknown_command(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::App* below : app.get_subcommands({})) names.push_back(below->get_name());
  const std::string near = milgrad::nn::nearest_name(name, names);
  throw UsageError(fmt::format("{}: unknown command; expected {}, found {}", path_of(app),
                               fmt::join(names, ", "), name),
                   near.empty() ? fmt::format("see {} --help", path_of(app))
                                : fmt::format("did you mean {} {}?", path_of(app), near));
}

[[noreturn]] void fail_unknown_argument(const std::string& where, const std::string& argument,
                                        const std::vector<std::string>& flags) {
  const std::string help = fmt::format("see {} --help", where);
  if (!argument.starts_with('-')) {
    throw UsageError(
        fmt::format("{}: unexpected argument; expected a flag, found {}", where, argument), help);
  }
  const std::string near = milgrad::nn::nearest_name(argument.substr(0, argument.find('=')), flags);
  throw UsageError(
      fmt::format("{}: unknown flag; expected one of {} --help, found {}", where, where, argument),
      near.empty() ? help : fmt::format("did you mean {}?", near));
}

/// The innermost command that the arguments named.
const CLI::App& innermost(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : innermost(*parsed.back());
}

Branch* branch_of(Parser& parser, const CLI::App& app) {
  for (Branch& branch : parser.branches) {
    if (branch.app == &app) return &branch;
  }
  return nullptr;
}

/// Refuses the arguments that nothing took, the outermost first.
void check_remaining(Parser& parser, const CLI::App& app) {
  const Branch* branch = branch_of(parser, app);
  const std::vector<std::string> left = app.remaining();
  if (!left.empty()) {
    const bool names_command = branch == nullptr && !left.front().starts_with('-');
    if (names_command) fail_unknown_command(app, left.front());
    std::vector<std::string> flags = {"--help", "--version"};
    if (branch != nullptr) flags = flag_names(branch->command);
    fail_unknown_argument(path_of(app), left.front(), flags);
  }
  for (const CLI::App* below : app.get_subcommands()) check_remaining(parser, *below);
}

std::vector<GivenFlag> given_flags(Branch& branch) {
  std::vector<GivenFlag> flags;
  const std::vector<Option> options = options_of(branch.command);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const CLI::Option& given = *branch.given[i];
    if (given.count() > 0) flags.push_back({options[i].name, given.results().back()});
  }
  return flags;
}

std::string help_for(Parser& parser, const CLI::App& app) {
  if (const Branch* branch = branch_of(parser, app)) return command_help(branch->command);
  return app.get_parent() == nullptr ? program_help() : group_help(app.get_name());
}

[[noreturn]] void fail_incomplete(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* below : app.get_subcommands({})) names.push_back(below->get_name());
  throw UsageError(fmt::format("{}: no command; expected {}, found nothing", path_of(app),
                               fmt::join(names, ", ")),
                   fmt::format("see {} --help", path_of(app)));
}

/// CLI11's message begins with the name of the option that lacks its value.
[[noreturn]] void fail_missing_value(Parser& parser, const CLI::ArgumentMismatch& error) {
  const CLI::App& app = innermost(parser.app);
  const std::string message = error.what();
  const std::string name = message.substr(0, message.find(':'));
  if (Branch* branch = branch_of(parser, app)) {
    for (const Option& option : options_of(branch->command)) {
      if (name != flag_name(option) && name != option.name) continue;
      throw UsageError(fmt::format("{}: no value; expected {}, found nothing", flag_name(option),
                                   expected(option.value)));
    }
  }
  throw UsageError(fmt::format("{}: {}", path_of(app), message));
}

/// Runs CLI11; a text if the arguments ask for one.
std::string read_arguments(Parser& parser, std::vector<std::string> arguments) {
  // CLI11 takes them from the back.
  std::reverse(arguments.begin(), arguments.end());
  try {
    parser.app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return help_for(parser, innermost(parser.app));
  } catch (const CLI::CallForVersion&) {
    return version_text() + "\n";
  } catch (const CLI::ArgumentMismatch& error) {
    fail_missing_value(parser, error);
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}: {}", path_of(innermost(parser.app)), error.what()),
                     fmt::format("see {} --help", path_of(innermost(parser.app))));
  }
  return {};
}

}  // namespace

Invocation parse(const std::vector<std::string>& arguments, const Environment& environment) {
  const std::unique_ptr<Parser> parser = make_parser();
  Invocation invocation;
  invocation.text = read_arguments(*parser, arguments);
  if (!invocation.text.empty()) return invocation;
  check_remaining(*parser, parser->app);
  const CLI::App& app = innermost(parser->app);
  Branch* branch = branch_of(*parser, app);
  if (branch == nullptr) fail_incomplete(app);
  resolve(branch->command, given_flags(*branch), environment);
  invocation.warnings = environment_warnings(environment);
  invocation.command = std::move(branch->command);
  return invocation;
}

Environment process_environment() {
  Environment variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

bool wants_json(const std::vector<std::string>& arguments, const Environment& environment) {
  bool json = false;
  if (const auto found = environment.find("MIL_JSON"); found != environment.end()) {
    json = found->second == "1" || found->second == "true";
  }
  for (const std::string& argument : arguments) {
    if (argument == "--json") json = true;
    if (argument == "--no-json") json = false;
  }
  return json;
}

}  // namespace mil
