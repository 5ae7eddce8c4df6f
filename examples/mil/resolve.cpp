// Applying the sources of option values in their order.
#include "examples/mil/resolve.h"

#include "examples/mil/config.h"
#include "examples/mil/errors.h"
#include "examples/mil/option_table.h"
#include "nn/names.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

const Option& find_option(const std::vector<Option>& options, std::string_view name) {
  return *std::find_if(options.begin(), options.end(),
                       [&](const Option& option) { return option.name == name; });
}

void set_from_text(const Option& option, const std::string& text, const std::string& place,
                   Source source, Origins& origins) {
  const nlohmann::json value = read_text(option.value, text);
  if (!assign(option.value, value)) {
    throw UsageError(fmt::format("{}: bad value; expected {}, found {}", place,
                                 expected(option.value), show(value)),
                     suggestion(option.value, text));
  }
  origins[option.name] = {source, place};
}

const std::string* find_variable(const Environment& environment, const Option& option) {
  const auto found = environment.find(environment_name(option));
  // An empty variable counts as unset.
  return found == environment.end() || found->second.empty() ? nullptr : &found->second;
}

void apply_environment(const Environment& environment, Command& command) {
  for (const Option& option : options_of(command)) {
    if (const std::string* text = find_variable(environment, option)) {
      set_from_text(option, *text, environment_name(option), Source::environment,
                    common_options(command).origins);
    }
  }
}

void apply_flag(const GivenFlag& flag, Command& command) {
  const std::vector<Option> options = options_of(command);
  const Option& option = find_option(options, flag.name);
  const std::vector<std::string> flags = flag_names(command);
  if (std::find(flags.begin(), flags.end(), flag.text) != flags.end()) {
    throw UsageError(fmt::format("{}: no value; expected {}, found the next flag, {}",
                                 flag_name(option), expected(option.value), flag.text));
  }
  const bool negated = std::holds_alternative<Switch>(option.value) && flag.text == "false";
  set_from_text(option, flag.text, negated ? "--no-" + option.name : flag_name(option),
                Source::flag, common_options(command).origins);
}

/// The file that the flags, or else the environment, name; "" for none.
std::string config_path(const std::vector<GivenFlag>& flags, const Environment& environment,
                        Command& command) {
  for (const GivenFlag& flag : flags) {
    if (flag.name == "config") return flag.text;
  }
  const std::vector<Option> options = options_of(command);
  const std::string* variable = find_variable(environment, find_option(options, "config"));
  return variable == nullptr ? std::string() : *variable;
}

/// Of two options that exclude each other the one from the stronger source counts.
void settle(Command& command, std::string_view first, std::string_view second) {
  Origins& origins = common_options(command).origins;
  const auto a = origins.find(first);
  const auto b = origins.find(second);
  if (a == origins.end() || b == origins.end()) return;
  if (a->second.source == b->second.source) {
    throw UsageError(fmt::format("{} and {} exclude each other; expected one, found both",
                                 a->second.place, b->second.place));
  }
  const auto weaker = a->second.source < b->second.source ? a : b;
  Command defaults = default_of(command);
  copy_value(find_option(options_of(defaults), weaker->first).value,
             find_option(options_of(command), weaker->first).value);
  origins.erase(weaker);
}

void check_profile(const Command& command) {
  const auto* train = std::get_if<TrainOptions>(&command);
  if (train != nullptr && train->profile && train->fit.run_eagerly)
    throw UsageError("--profile and --run-eagerly exclude each other; expected one, found both",
                     "a profile is one of programs, without which --run-eagerly computes");
}

void check_required(Command& command) {
  const Origins& origins = common_options(command).origins;
  for (const Option& option : options_of(command)) {
    if (!option.required || origins.contains(option.name)) continue;
    const CommandDescription about = describe(command);
    throw UsageError(fmt::format("mil {}: {} is missing; expected {}, found nothing", about.name,
                                 flag_name(option), option.help),
                     fmt::format("for example {}", about.examples.front()));
  }
}

}  // namespace

void resolve(Command& command, const std::vector<GivenFlag>& flags,
             const Environment& environment) {
  const std::string file = config_path(flags, environment, command);
  if (!file.empty()) apply_config(file, command);
  apply_environment(environment, command);
  for (const GivenFlag& flag : flags) apply_flag(flag, command);
  settle(command, "data", "dataset");
  settle(command, "quiet", "verbose");
  check_profile(command);
  check_required(command);
}

std::vector<std::string> environment_warnings(const Environment& environment) {
  std::vector<std::string> known;
  for (Command& command : every_command()) {
    for (const Option& option : options_of(command)) known.push_back(environment_name(option));
  }
  std::vector<std::string> warnings;
  for (auto i = environment.lower_bound("MIL_"); i != environment.end(); ++i) {
    if (!i->first.starts_with("MIL_")) break;
    if (std::find(known.begin(), known.end(), i->first) != known.end()) continue;
    const std::string near = milgrad::nn::nearest_name(i->first, known);
    if (near.empty()) continue;
    warnings.push_back(
        fmt::format("the variable {} is not known and not used; did you mean {}?", i->first, near));
  }
  return warnings;
}

}  // namespace mil
