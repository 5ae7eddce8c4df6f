// Layout of the help texts.
#include "examples/mil/help.h"

#include "examples/mil/option_table.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

constexpr std::size_t kColumn = 34;

constexpr std::string_view kSources =
    "A flag wins over its environment variable (MIL_EPOCHS for --epochs), that over the file of\n"
    "--config (epochs = 20, at the top or in a section [train]), that over the default.\n";

std::string line(const std::string& left, const std::string& right) {
  if (left.size() + 2 > kColumn) return fmt::format("{}\n{:{}}{}\n", left, "", kColumn, right);
  return fmt::format("{:<{}}{}\n", left, kColumn, right);
}

std::string names_of(const Option& option) {
  const std::string letter =
      option.letter != 0 ? fmt::format("-{}, ", option.letter) : std::string("    ");
  if (std::holds_alternative<Switch>(option.value)) {
    return fmt::format("  {}--[no-]{}", letter, option.name);
  }
  return fmt::format("  {}{} {}", letter, flag_name(option), placeholder(option.value));
}

/// The value without a flag. What a trained model knows comes with its weights.
std::string default_of(const Option& option, bool with_weights) {
  if (with_weights && option.recall != Recall::never) return " [as trained]";
  const nlohmann::json value = to_json(option.value);
  if (value.is_boolean()) return value.get<bool>() ? " [on]" : "";
  if (value.is_string()) {
    return value == "" ? std::string() : fmt::format(" [{}]", value.get<std::string>());
  }
  if (value.is_array()) return fmt::format(" {}", value.dump());
  return fmt::format(" [{}]", value.dump());
}

std::string usage(const CommandDescription& about, const std::vector<Option>& options) {
  std::string text = fmt::format("Usage: mil {} [options]", about.name);
  for (const Option& option : options) {
    if (!option.positional) continue;
    const std::string name = placeholder(option.value);
    text += option.required ? " " + name : fmt::format(" [{}]", name);
  }
  return text + "\n";
}

std::string example_lines(const std::vector<std::string_view>& examples) {
  std::string text = "Examples:\n";
  for (const std::string_view example : examples) text += fmt::format("  {}\n", example);
  return text;
}

std::string command_lines(std::string_view prefix) {
  std::string text = "Commands:\n";
  for (const Command& command : every_command()) {
    const CommandDescription about = describe(command);
    if (about.name.starts_with(prefix)) {
      text += fmt::format("  {:<16}{}\n", about.name, about.purpose);
    }
  }
  return text;
}

}  // namespace

std::string version_text() { return "mil " MILGRAD_VERSION; }

std::string program_help() {
  return fmt::format(
      "{}: attention-based multiple-instance learning.\n\n{}\n"
      "Usage: mil COMMAND [options]\n\n{}\n"
      "Options:\n{}{}\n{}",
      version_text(),
      example_lines({"mil data fetch mnist", "mil train --out runs/first", "mil plot runs/first",
                     "mil train --help"}),
      command_lines(""), line("  -h, --help", "help, also for each command"),
      line("      --version", "the version"), kSources);
}

std::string group_help(const std::string& group) {
  return fmt::format("Usage: mil {} COMMAND [options]\n\n{}", group, command_lines(group + " "));
}

std::string command_help(Command command) {
  const CommandDescription about = describe(command);
  const std::vector<Option> options = options_of(command);
  std::string text = fmt::format("{}\n\n{}\n{}", about.purpose, example_lines(about.examples),
                                 usage(about, options));
  const bool with_weights = std::any_of(options.begin(), options.end(), [](const Option& option) {
    return option.name == "weights";
  });
  std::vector<std::string_view> groups;
  for (const Option& option : options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) {
      groups.push_back(option.group);
    }
  }
  for (const std::string_view group : groups) {
    text += fmt::format("\n{}:\n", group);
    for (const Option& option : options) {
      if (option.group != group) continue;
      text += line(names_of(option), std::string(option.help) + default_of(option, with_weights));
    }
  }
  text += line("  -h, --help", "this text");
  return text + fmt::format("\n{}", kSources);
}

}  // namespace mil
