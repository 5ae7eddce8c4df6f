// The list of passes, and which of them run.
#include "autograd/passes/pass.h"

#include "tensor/error.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace milgrad {
namespace {

void check_names(const std::set<std::string>& names) {
  std::string known;
  for (const Pass& pass : all_passes())
    known += fmt::format("{}{}", known.empty() ? "" : ", ", pass.name);
  for (const std::string& name : names)
    if (std::none_of(all_passes().begin(), all_passes().end(),
                     [&](const Pass& pass) { return name == pass.name; }))
      throw ValueError(fmt::format("[passes] there is no pass \"{}\"", name),
                       "there are: " + known);
}

std::set<std::string> split(const std::string& text) {
  std::set<std::string> names;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    if (end > start) names.insert(text.substr(start, end - start));
    start = end + 1;
  }
  return names;
}

}  // namespace

std::span<const Pass> all_passes() { return {kPassTable, kPassCount}; }

PassOptions PassOptions::none() { return only({}); }

PassOptions PassOptions::only(const std::set<std::string>& names) {
  check_names(names);
  PassOptions options;
  for (const Pass& pass : all_passes())
    if (!names.contains(pass.name)) options.off.insert(pass.name);
  return options;
}

PassOptions PassOptions::from_environment() {
  const char* given = std::getenv("MILGRAD_PASSES");
  if (given == nullptr || *given == '\0') return {};
  if (std::string(given) == "none") return none();
  const std::set<std::string> names = split(given);
  PassOptions options;
  for (const std::string& name : names)
    if (name[0] == '-') options.off.insert(name.substr(1));
  if (options.off.size() == names.size()) return options;
  if (!options.off.empty())
    throw ValueError(fmt::format("[passes] MILGRAD_PASSES is \"{}\"", given),
                     "name either the passes that run or, each with a minus, those that do not");
  return only(names);
}

void run_passes(Graph& graph, const PassOptions& options) {
  check_names(options.off);
  for (const Pass& pass : all_passes())
    if (!options.off.contains(pass.name)) pass.run(graph);
}

}  // namespace milgrad
