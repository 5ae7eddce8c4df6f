// The types of options: reading, range checks and their words.
#include "examples/mil/option.h"

#include "nn/names.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

using nlohmann::json;

template <class... Functions>
struct Overload : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overload(Functions...) -> Overload<Functions...>;

template <class Number>
std::optional<Number> read_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::vector<std::int64_t>> read_list(std::string_view text) {
  std::vector<std::int64_t> numbers;
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto number = read_number<std::int64_t>(text.substr(0, comma));
    if (!number) return std::nullopt;
    numbers.push_back(*number);
    if (comma == text.size()) return numbers;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::int64_t> integer_in(const json& given, std::int64_t minimum,
                                       std::int64_t maximum) {
  if (!given.is_number_integer()) return std::nullopt;
  const bool too_large = given.is_number_unsigned() && given.get<std::uint64_t>() > INT64_MAX;
  if (too_large) return std::nullopt;
  const auto number = given.get<std::int64_t>();
  if (number < minimum || number > maximum) return std::nullopt;
  return number;
}

bool assign_list(const IntegerList& list, const json& given) {
  if (!given.is_array() || given.empty() || given.size() > list.longest) return false;
  std::vector<std::int64_t> numbers;
  for (const json& item : given) {
    const auto number = integer_in(item, list.minimum, list.maximum);
    if (!number) return false;
    numbers.push_back(*number);
  }
  *list.value = std::move(numbers);
  return true;
}

bool assign_real(const Real& real, const json& given) {
  if (!given.is_number()) return false;
  const double number = given.get<double>();
  const bool above = real.minimum_allowed ? number >= real.minimum : number > real.minimum;
  // Written so that NaN fails.
  if (!(above && number <= real.maximum)) return false;
  *real.value = number;
  return true;
}

bool is_url(const std::string& text) {
  return text.starts_with("https://") || text.starts_with("http://");
}

template <class Accepts>
bool assign_string(std::string* value, const json& given, Accepts accepts) {
  if (!given.is_string() || !accepts(given.get_ref<const std::string&>())) return false;
  *value = given.get<std::string>();
  return true;
}

std::string replace_dashes(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

std::string flag_name(const Option& option) { return "--" + option.name; }

std::string environment_name(const Option& option) {
  std::string name = "MIL_" + replace_dashes(option.name);
  for (char& letter : name) letter = static_cast<char>(std::toupper(letter));
  return name;
}

std::string file_key(const Option& option) { return replace_dashes(option.name); }

std::string expected(const OptionValue& value) {
  return std::visit(
      Overload{
          [](const Integer& v) {
            return fmt::format("a whole number from {} to {}", v.minimum, v.maximum);
          },
          [](const Real& v) {
            return v.minimum_allowed
                       ? fmt::format("a number from {} to {}", v.minimum, v.maximum)
                       : fmt::format("a number above {}, at most {}", v.minimum, v.maximum);
          },
          [](const Switch&) { return std::string("true or false"); },
          [](const Text& v) { return fmt::format("a {}", v.kind); },
          [](const Url&) { return std::string("an address that begins with https:// or http://"); },
          [](const Choice& v) { return fmt::format("{}", fmt::join(v.choices, " or ")); },
          [](const IntegerList& v) {
            return fmt::format("1 to {} whole numbers from {} to {}", v.longest, v.minimum,
                               v.maximum);
          },
      },
      value);
}

std::string placeholder(const OptionValue& value) {
  return std::visit(
      Overload{
          [](const Integer&) { return std::string("N"); },
          [](const Real&) { return std::string("X"); },
          [](const Switch&) { return std::string(); },
          [](const Text& v) {
            std::string kind(v.kind);
            for (char& letter : kind) {
              letter = static_cast<char>(std::toupper(letter));
            }
            return kind;
          },
          [](const Url&) { return std::string("URL"); },
          [](const Choice& v) { return fmt::format("{}", fmt::join(v.choices, "|")); },
          [](const IntegerList&) { return std::string("N,N,..."); },
      },
      value);
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names) {
  const std::string name = milgrad::nn::nearest_name(typed, names);
  return name.empty() ? std::string() : "did you mean " + name + "?";
}

std::string suggestion(const OptionValue& value, const std::string& typed) {
  const auto* choice = std::get_if<Choice>(&value);
  return choice == nullptr ? std::string() : did_you_mean(typed, choice->choices);
}

json to_json(const OptionValue& value) {
  return std::visit([](const auto& v) { return json(*v.value); }, value);
}

json read_text(const OptionValue& value, const std::string& text) {
  if (std::holds_alternative<Integer>(value)) {
    if (const auto number = read_number<std::int64_t>(text)) return *number;
  } else if (std::holds_alternative<Real>(value)) {
    const auto number = read_number<double>(text);
    if (number && std::isfinite(*number)) return *number;
  } else if (std::holds_alternative<Switch>(value)) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
  } else if (std::holds_alternative<IntegerList>(value)) {
    if (const auto numbers = read_list(text)) return *numbers;
  }
  return text;
}

std::string show(const json& value) {
  // Text that is not UTF-8 is shown with replacement characters.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool assign(const OptionValue& value, const json& given) {
  return std::visit(
      Overload{
          [&](const Integer& v) {
            const auto number = integer_in(given, v.minimum, v.maximum);
            if (number) *v.value = *number;
            return number.has_value();
          },
          [&](const Real& v) { return assign_real(v, given); },
          [&](const Switch& v) {
            if (given.is_boolean()) *v.value = given.get<bool>();
            return given.is_boolean();
          },
          [&](const Text& v) {
            return assign_string(v.value, given, [](const auto& text) { return !text.empty(); });
          },
          [&](const Url& v) { return assign_string(v.value, given, is_url); },
          [&](const Choice& v) {
            return assign_string(v.value, given, [&](const auto& text) {
              return std::find(v.choices.begin(), v.choices.end(), text) != v.choices.end();
            });
          },
          [&](const IntegerList& v) { return assign_list(v, given); },
      },
      value);
}

void copy_value(const OptionValue& from, const OptionValue& to) {
  std::visit(
      [&](const auto& source) {
        *std::get<std::decay_t<decltype(source)>>(to).value = *source.value;
      },
      from);
}

}  // namespace mil
