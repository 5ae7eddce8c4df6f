// Taking up the configuration saved with the weights.
#include "examples/mil/recall.h"

#include "examples/mil/errors.h"
#include "examples/mil/option_table.h"
#include "tensor/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {

void recall(Command& command, const nlohmann::json& saved, const std::string& weights) {
  const Origins origins = common_options(command).origins;
  for (const Option& option : options_of(command)) {
    const auto entry = saved.find(file_key(option));
    if (option.recall == Recall::never || entry == saved.end()) continue;
    const auto origin = origins.find(option.name);
    if (origin == origins.end()) {
      if (assign(option.value, *entry)) continue;
      throw milgrad::FormatError(
          {weights}, fmt::format("bad saved value for {}; expected {}, found {}", file_key(option),
                                 expected(option.value), show(*entry)));
    }
    const nlohmann::json given = to_json(option.value);
    if (option.recall == Recall::must_agree && given != *entry) {
      throw UsageError(fmt::format("{}: the model of {} differs; expected {}, found {}",
                                   origin->second.place, weights, show(*entry), show(given)),
                       fmt::format("leave {} out: the weights know their model", option.name));
    }
  }
}

}  // namespace mil
