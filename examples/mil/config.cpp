// Reading configuration files with toml++, and handing their values to the options.
#include "examples/mil/config.h"

#include "examples/mil/option_table.h"
#include "nn/io/file.h"
#include "tensor/error.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <toml++/toml.h>

namespace mil {
namespace {

using milgrad::FilePlace;
using milgrad::FormatError;
using nlohmann::json;

/// One `key = value`.
struct Entry {
  std::string key;
  json value;  // null for a date or time, which no option takes
  FilePlace key_place;
  FilePlace value_place;
};

/// The top level has the name "".
struct Section {
  std::string name;
  FilePlace place;
  std::vector<Entry> entries;
};

using Sections = std::vector<Section>;

FilePlace place_of(const std::string& path, const toml::source_region& region) {
  return {path, region.begin.line, region.begin.column};
}

std::string read_text(const std::string& path) {
  constexpr std::size_t kLargest = 1 << 20;
  const milgrad::io::Bytes bytes = milgrad::io::read_file(path);
  if (bytes.size() > kLargest) {
    throw FormatError({path}, fmt::format("too large for a configuration; expected at most {} "
                                          "bytes, found {}",
                                          kLargest, bytes.size()));
  }
  return {bytes.begin(), bytes.end()};
}

/// Dates, times and tables become null.
json json_of(const toml::node& node) {
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* array = node.as_array()) {
    json items = json::array();
    for (const toml::node& item : *array) items.push_back(json_of(item));
    return items;
  }
  return nullptr;
}

bool before(const FilePlace& a, const FilePlace& b) {
  return std::pair(a.row, a.column) < std::pair(b.row, b.column);
}

void collect(const toml::table& table, const std::string& name, const std::string& path,
             Sections& sections) {
  Section section{name, place_of(path, table.source()), {}};
  for (const auto& [key, node] : table) {
    if (const toml::table* inner = node.as_table()) {
      const std::string inner_name(key.str());
      collect(*inner, name.empty() ? inner_name : name + "." + inner_name, path, sections);
    } else {
      section.entries.push_back({std::string(key.str()), json_of(node),
                                 place_of(path, key.source()), place_of(path, node.source())});
    }
  }
  std::sort(section.entries.begin(), section.entries.end(),
            [](const auto& a, const auto& b) { return before(a.key_place, b.key_place); });
  sections.push_back(std::move(section));
}

std::string section_name(const Command& command) {
  std::string name(describe(command).name);
  std::replace(name.begin(), name.end(), ' ', '.');
  return name;
}

/// The option of that key, set to the entry's value.
bool assign_entry(const std::vector<Option>& options, const Entry& entry, Origins& origins) {
  for (const Option& option : options) {
    if (!option.in_file || file_key(option) != entry.key) continue;
    if (!assign(option.value, entry.value)) {
      const std::string found = entry.value.is_null() ? "a date or time" : show(entry.value);
      const bool text = entry.value.is_string();
      throw FormatError(entry.value_place,
                        fmt::format("bad value for {}; expected {}, found {}", entry.key,
                                    expected(option.value), found),
                        text ? suggestion(option.value, entry.value.get<std::string>()) : "");
    }
    origins[option.name] = {Source::file, entry.value_place.to_string()};
    return true;
  }
  return false;
}

std::vector<std::string> keys_of(const std::vector<Option>& options) {
  std::vector<std::string> keys;
  for (const Option& option : options) {
    if (option.in_file) keys.push_back(file_key(option));
  }
  return keys;
}

const Section* find_section(const Sections& sections, const std::string& name) {
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [&](const auto& section) { return section.name == name; });
  return found == sections.end() ? nullptr : &*found;
}

[[noreturn]] void fail_unknown_key(const Entry& entry, const std::string& where,
                                   const std::vector<std::string>& known) {
  throw FormatError(
      entry.key_place,
      fmt::format("unknown key{}; expected a flag's name with _ for -, found {}", where, entry.key),
      did_you_mean(entry.key, known));
}

/// What the command takes of the file.
void apply_sections(const Sections& sections, Command& command) {
  Origins& origins = common_options(command).origins;
  const std::vector<Option> options = options_of(command);
  if (const Section* top = find_section(sections, "")) {
    for (const Entry& entry : top->entries) assign_entry(options, entry, origins);
  }
  if (const Section* own = find_section(sections, section_name(command))) {
    for (const Entry& entry : own->entries) {
      if (assign_entry(options, entry, origins)) continue;
      fail_unknown_key(entry, fmt::format(" in section [{}]", own->name), keys_of(options));
    }
  }
}

void check_top_level(const Section& top) {
  std::vector<std::string> known;
  for (Command& command : every_command()) {
    for (std::string& key : keys_of(options_of(command))) known.push_back(std::move(key));
  }
  for (const Entry& entry : top.entries) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      fail_unknown_key(entry, "", known);
    }
  }
}

void check_section_names(const Sections& sections) {
  std::vector<std::string> known;
  for (const Command& command : every_command()) known.push_back(section_name(command));
  for (const Section& section : sections) {
    if (section.name.empty()) continue;
    const auto is_or_holds = [&](const std::string& name) {
      return name == section.name || name.starts_with(section.name + ".");
    };
    const auto found = std::find_if(known.begin(), known.end(), is_or_holds);
    if (found == known.end()) {
      throw FormatError(
          section.place,
          fmt::format("unknown section; expected the name of a command, found [{}]", section.name),
          did_you_mean(section.name, known));
    }
    // [data] only holds the sections of its commands.
    if (*found != section.name && !section.entries.empty()) {
      fail_unknown_key(section.entries.front(), fmt::format(" in section [{}]", section.name), {});
    }
  }
}

Sections read_sections(const std::string& path) {
  const std::string text = read_text(path);
  Sections sections;
  try {
    collect(toml::parse(text, path), "", path, sections);
  } catch (const toml::parse_error& error) {
    throw FormatError(place_of(path, error.source()),
                      fmt::format("not TOML; {}", error.description()));
  }
  std::sort(sections.begin(), sections.end(),
            [](const auto& a, const auto& b) { return before(a.place, b.place); });
  return sections;
}

}  // namespace

void apply_config(const std::string& path, Command& command) {
  const Sections sections = read_sections(path);
  if (const Section* top = find_section(sections, "")) check_top_level(*top);
  check_section_names(sections);
  for (Command& other : every_command()) apply_sections(sections, other);
  apply_sections(sections, command);
}

}  // namespace mil
