// The snake_case rule and the counters of automatic names.
#include "nn/names.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <mutex>
#include <numeric>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace milgrad::nn {
namespace {

bool is_upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }
bool is_lower(char c) { return std::islower(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// (.)([A-Z][a-z]+) -> \1_\2: before a capitalised word, unless it starts the text. Matches do not
// overlap: the character before one must not belong to the previous one.
std::string split_capitalised(const std::string& text) {
  std::string result;
  std::size_t at = 0;
  while (at < text.size()) {
    result += text[at];
    if (at + 2 >= text.size() || !is_upper(text[at + 1]) || !is_lower(text[at + 2])) {
      ++at;
      continue;
    }
    std::size_t end = at + 2;
    while (end < text.size() && is_lower(text[end])) ++end;
    result += '_';
    result.append(text, at + 1, end - at - 1);
    at = end;
  }
  return result;
}

std::mutex names_mutex;

std::map<std::string, int>& used_names() {
  static std::map<std::string, int> used;
  return used;
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from a to b (the optimal
/// string alignment distance).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last.back();
}

}  // namespace

std::string snake_case(std::string_view class_name) {
  std::string word;
  std::copy_if(class_name.begin(), class_name.end(), std::back_inserter(word), is_word);
  const std::string split = split_capitalised(word);
  std::string result;
  for (std::size_t i = 0; i < split.size(); ++i) {
    if (i > 0 && is_lower(split[i - 1]) && is_upper(split[i])) result += '_';
    result += split[i];
  }
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string unique_name(std::string_view class_name) {
  const std::string base = snake_case(class_name);
  const std::lock_guard lock(names_mutex);
  const int before = used_names()[base]++;
  return before == 0 ? base : base + "_" + std::to_string(before);
}

void clear_session() {
  const std::lock_guard lock(names_mutex);
  used_names().clear();
}

std::string nearest_name(std::string_view word, std::span<const std::string> candidates) {
  // Doubled, so that of two names at one distance the one with the same first letter wins.
  std::size_t best = 2 * std::max<std::size_t>(2, word.size() / 3) + 1;
  std::string nearest;
  for (const std::string& candidate : candidates) {
    const bool same_start = !word.empty() && candidate.substr(0, 1) == word.substr(0, 1);
    const std::size_t distance = 2 * edit_distance(word, candidate) + (same_start ? 0 : 1);
    if (distance >= best) continue;
    best = distance;
    nearest = candidate;
  }
  return nearest;
}

ValueError unknown_name(std::string_view what, std::string_view name,
                        const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return ValueError(
      fmt::format("[{}] there is no \"{}\"{}", what, name,
                  nearest.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", nearest)),
      fmt::format("known are {}", fmt::join(candidates, ", ")));
}

}  // namespace milgrad::nn
