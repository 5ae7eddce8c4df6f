// Exit codes, error lines and hints.
#include "examples/mil/report.h"

#include "examples/mil/errors.h"

#include <filesystem>
#include <new>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

template <class Exception>
const Exception* as(const std::exception& error) {
  return dynamic_cast<const Exception*>(&error);
}

bool is_bug(const std::exception& error) {
  // Shapes, dtypes and gradients are mil's own business, never the user's.
  return as<milgrad::ShapeError>(error) != nullptr || as<milgrad::DTypeError>(error) != nullptr ||
         as<milgrad::GradientError>(error) != nullptr || as<milgrad::TraceError>(error) != nullptr;
}

Diagnostic internal(const std::exception& error, const RunIdentity& run) {
  Diagnostic diagnostic{.code = ExitCode::internal,
                        .message = fmt::format("internal error: {}", error.what())};
  diagnostic.hints = {
      "this is a bug of mil " MILGRAD_VERSION "; please report it with this message",
      fmt::format("seed {}; to reproduce: {}",
                  run.seed ? fmt::format("{}", *run.seed) : std::string("not known"),
                  shell_quote(run.arguments))};
  return diagnostic;
}

ExitCode code_of(const std::exception& error) {
  if (const auto* e = as<milgrad::WriteError>(error)) {
    return e->kind() == milgrad::WriteError::Kind::cannot_create ? ExitCode::cannot_create
                                                                 : ExitCode::write_failed;
  }
  if (as<milgrad::FormatError>(error)) return ExitCode::bad_data;
  if (as<milgrad::NotFoundError>(error)) return ExitCode::no_input;
  if (as<milgrad::NonFiniteError>(error)) return ExitCode::criterion_failed;
  if (as<std::bad_alloc>(error)) return ExitCode::no_memory;
  if (as<std::filesystem::filesystem_error>(error)) return ExitCode::write_failed;
  if (as<milgrad::ValueError>(error) && !is_bug(error)) return ExitCode::usage;
  return ExitCode::internal;
}

milgrad::FilePlace place_of(const std::exception& error) {
  if (const auto* e = as<milgrad::FormatError>(error)) return e->place();
  if (const auto* e = as<milgrad::NotFoundError>(error)) return {e->path()};
  if (const auto* e = as<milgrad::WriteError>(error)) return {e->path()};
  return {};
}

}  // namespace

Diagnostic diagnose(const std::exception& error, const RunIdentity& run) {
  const ExitCode code = code_of(error);
  if (code == ExitCode::internal) return internal(error, run);
  if (code == ExitCode::no_memory) {
    return {.code = code,
            .message = "out of memory",
            .place = {},
            .hints = {"end other programs, or take fewer or smaller bags"}};
  }
  Diagnostic diagnostic{
      .code = code, .message = error.what(), .place = place_of(error), .hints = {}};
  const auto* own = as<milgrad::Error>(error);
  if (own != nullptr && !own->hint().empty()) diagnostic.hints.push_back(own->hint());
  return diagnostic;
}

nlohmann::json to_json(const Diagnostic& diagnostic) {
  nlohmann::json error = {{"exit_code", static_cast<int>(diagnostic.code)},
                          {"message", diagnostic.message},
                          {"hints", diagnostic.hints}};
  if (!diagnostic.place.path.empty()) error["file"] = diagnostic.place.path;
  if (diagnostic.place.row > 0) error["row"] = diagnostic.place.row;
  if (diagnostic.place.column > 0) error["column"] = diagnostic.place.column;
  return {{"error", error}};
}

std::string shell_quote(const std::vector<std::string>& arguments) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%";
  std::string line = "mil";
  for (const std::string& argument : arguments) {
    const bool plain = !argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos;
    line += ' ';
    if (plain) {
      line += argument;
      continue;
    }
    line += '\'';
    for (const char letter : argument) {
      if (letter == '\'') {
        line += "'\\''";
      } else {
        line += letter;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace mil
