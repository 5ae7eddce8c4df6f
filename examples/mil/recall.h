// A trained model's own configuration, as a later command takes it up.
#pragma once

#include "examples/mil/options.h"

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace mil {

/// Fills the command from the configuration saved with its weights (configuration() of the training
/// run). What was given by flag, environment or file stays; where it is part of the model and
/// differs: UsageError. A saved value that does not fit its option: FormatError. `weights` names
/// the file in messages.
void recall(Command& command, const nlohmann::json& saved, const std::string& weights);

}  // namespace mil
