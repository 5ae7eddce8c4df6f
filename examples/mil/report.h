// From an exception to what the user sees: exit code, one line of error, hints; as text or JSON.
#pragma once

#include "tensor/error.h"

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mil {

/// The exit codes of mil; 130 and 143 (128 + signal) stand for an interrupted run.
enum class ExitCode : int {
  done = 0,
  criterion_failed = 1,  ///< ran, but a stated criterion failed, such as a loss that became NaN
  usage = 2,
  bad_data = 65,  ///< malformed file
  no_input = 66,  ///< missing or unreadable file
  internal = 70,  ///< a bug
  no_memory = 71,
  cannot_create = 73,
  write_failed = 74,  ///< disk full, I/O error
};

/// What a bug report needs.
struct RunIdentity {
  std::vector<std::string> arguments;
  std::optional<std::int64_t> seed;
};

struct Diagnostic {
  ExitCode code = ExitCode::internal;
  std::string message = {};  ///< "FILE:ROW:COL: what; expected X, found Y"
  milgrad::FilePlace place = {};
  std::vector<std::string> hints = {};
};

/// The only place that maps exceptions to exit codes.
Diagnostic diagnose(const std::exception& error, const RunIdentity& run);

/// {"error": {"exit_code", "message", "file", "row", "column", "hints"}}; file, row and column only
/// where known.
nlohmann::json to_json(const Diagnostic& diagnostic);

/// The arguments as a shell takes them.
std::string shell_quote(const std::vector<std::string>& arguments);

}  // namespace mil
