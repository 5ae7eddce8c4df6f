// Logs and History: lookup by name and the order of names.
#include "nn/logs.h"

#include "tensor/error.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {

std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".eni") == std::string::npos) text += ".0";
  return text;
}

double Logs::operator[](std::string_view name) const {
  if (const auto value = find(name)) return *value;
  throw ValueError(fmt::format("[logs] there is no \"{}\"; the names are: {}", name, names()));
}

std::optional<double> Logs::find(std::string_view name) const {
  for (const auto& [key, value] : entries_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Logs::set(std::string_view name, double value) {
  for (auto& entry : entries_) {
    if (entry.first == name) {
      entry.second = value;
      return;
    }
  }
  entries_.emplace_back(name, value);
}

Logs Logs::sorted() const {
  Logs result = *this;
  std::stable_sort(result.entries_.begin(), result.entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });
  return result;
}

std::string Logs::names() const {
  std::vector<std::string_view> list;
  for (const auto& entry : entries_) list.push_back(entry.first);
  return fmt::format("{}", fmt::join(list, ", "));
}

const std::vector<double>& History::operator[](std::string_view name) const {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  throw ValueError(fmt::format("[history] there is no \"{}\"; the names are: {}", name,
                               fmt::join(names_, ", ")));
}

void History::append(int epoch_number, const Logs& logs) {
  epoch.push_back(epoch_number);
  for (const auto& [name, value] : logs) {
    if (!values_.contains(name)) names_.push_back(name);
    values_[name].push_back(value);
  }
}

}  // namespace milgrad::nn
