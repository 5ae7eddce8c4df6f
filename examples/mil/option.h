// One option of a command: its names, its type with the range allowed, and the variable it sets.
#pragma once

#include "examples/mil/options.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mil {

struct Integer {
  std::int64_t* value;
  std::int64_t minimum;
  std::int64_t maximum;
};

struct Real {
  double* value;
  double minimum;
  double maximum;
  bool minimum_allowed = true;
};

struct Switch {
  bool* value;
};

/// Any text but the empty one; `kind` says what it names ("file", "folder").
struct Text {
  std::string* value;
  std::string_view kind;
};

/// An address that begins with https:// or http://.
struct Url {
  std::string* value;
};

struct Choice {
  std::string* value;
  std::vector<std::string> choices;
};

struct IntegerList {
  std::vector<std::int64_t>* value;
  std::int64_t minimum;
  std::int64_t maximum;
  std::size_t longest;
};

using OptionValue = std::variant<Integer, Real, Switch, Text, Url, Choice, IntegerList>;

/// What a configuration saved with the weights means for a later command.
enum class Recall {
  never,       ///< belongs to one run only
  as_default,  ///< taken from the saved configuration unless given
  must_agree,  ///< part of the model: a value that differs is an error
};

struct Option {
  std::string name;  ///< "train-bags": --train-bags, MIL_TRAIN_BAGS, train_bags in files
  OptionValue value;
  std::string_view help;
  std::string_view group;
  Recall recall = Recall::never;
  bool positional = false;  ///< may also be given without its flag
  bool required = false;
  bool in_file = true;
  char letter = 0;  ///< short flag
};

std::string flag_name(const Option& option);         // --train-bags
std::string environment_name(const Option& option);  // MIL_TRAIN_BAGS
std::string file_key(const Option& option);          // train_bags

/// What the option takes, for messages: "a whole number from 1 to 1000000".
std::string expected(const OptionValue& value);

/// What stands for the value in help texts: "N"; "" for a switch.
std::string placeholder(const OptionValue& value);

/// "did you mean NAME?" for the known name that was probably meant, or "" where none is near.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names);

/// did_you_mean() for a mistyped choice, else "".
std::string suggestion(const OptionValue& value, const std::string& typed);

/// The current value.
nlohmann::json to_json(const OptionValue& value);

/// The text of a flag or variable as a value of the option's type; text that does not read as one
/// becomes a JSON string, which assign() then refuses.
nlohmann::json read_text(const OptionValue& value, const std::string& text);

/// A value as messages show it: 3, "ten", [1,2].
std::string show(const nlohmann::json& value);

/// Sets the variable; false where the type or the range does not fit (nothing is changed then).
bool assign(const OptionValue& value, const nlohmann::json& given);

/// Copies the variable of one option to that of another of the same type.
void copy_value(const OptionValue& from, const OptionValue& to);

}  // namespace mil
