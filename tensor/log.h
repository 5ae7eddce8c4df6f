// The log that developers ask for: nothing is written unless the environment names its topic.
#pragma once

#include <string>
#include <string_view>

namespace milgrad {

/// Whether MILGRAD_LOG, a list such as "compile,plan", names this topic; read at every call.
bool log_wanted(std::string_view topic);

/// Writes the line "[topic] text" to standard error.
void log_line(std::string_view topic, const std::string& text);

}  // namespace milgrad
