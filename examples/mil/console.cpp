// Writing to the two streams and to the terminal.
#include "examples/mil/console.h"

#include "tensor/error.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

namespace mil {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[1;33m";
constexpr std::string_view kPlain = "\x1b[0m";

std::size_t terminal_width(std::FILE* stream) {
  winsize size{};
  const bool known = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/// 0: no limit, as what is printed does not go to a terminal.
int result_columns(const CommonOptions& options, const std::string& variable) {
  if (const int columns = std::atoi(variable.c_str()); columns > 0) return columns;
  std::FILE* stream = options.json ? stderr : stdout;
  return isatty(fileno(stream)) != 0 ? static_cast<int>(terminal_width(stream)) : 0;
}

std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    const bool control = (code < 0x20 && letter != '\n' && letter != '\t') || code == 0x7f;
    clean += control ? fmt::format("\\x{:02x}", code) : std::string(1, letter);
  }
  return clean;
}

void Console::write(std::FILE* stream, std::string_view line) {
  clear_progress();
  const std::string clean = printable(line) + "\n";
  std::fwrite(clean.data(), 1, clean.size(), stream);
  // Where both streams are one pipe or file, lines stand in the order in which they were written.
  if (stream == settings_.results) flush_results();
}

void Console::flush_results() {
  errno = 0;
  if (std::fflush(settings_.results) != 0 && results_error_ == 0) results_error_ = errno;
}

void Console::print(std::string_view line) {
  if (settings_.json) {
    message(line);
  } else {
    write(settings_.results, line);
  }
}

void Console::result(const nlohmann::json& value) {
  if (settings_.json) write(settings_.results, text_of(value));
}

void Console::message(std::string_view line) {
  if (!settings_.quiet) write(settings_.messages, line);
}

void Console::detail(std::string_view line) {
  if (settings_.verbose) write(settings_.messages, line);
}

void Console::labelled(std::string_view label, std::string_view colour, std::string_view line) {
  clear_progress();
  const std::string clean = printable(line);
  if (settings_.colour) {
    fmt::print(settings_.messages, "mil: {}{}:{} {}\n", colour, label, kPlain, clean);
  } else {
    fmt::print(settings_.messages, "mil: {}: {}\n", label, clean);
  }
}

void Console::warning(std::string_view line) { labelled("warning", kYellow, line); }

void Console::error(const Diagnostic& diagnostic) {
  if (settings_.json) {
    write(settings_.messages, text_of(to_json(diagnostic)));
    return;
  }
  labelled("error", kRed, diagnostic.message);
  for (const std::string& hint : diagnostic.hints) write(settings_.messages, "hint: " + hint);
}

void Console::progress(std::string_view line) {
  if (!settings_.animate || settings_.quiet) return;
  // A line that wraps could not be erased again.
  std::string shown = printable(line);
  std::size_t length = std::min(shown.size(), terminal_width(settings_.messages) - 1);
  // Not in the middle of a UTF-8 character.
  while (length > 0 && length < shown.size() && (shown[length] & 0xc0) == 0x80) --length;
  shown.resize(length);
  fmt::print(settings_.messages, "{}{}", kEraseLine, shown);
  std::fflush(settings_.messages);
  progress_shown_ = true;
}

void Console::clear_progress() {
  if (!progress_shown_) return;
  fmt::print(settings_.messages, "{}", kEraseLine);
  std::fflush(settings_.messages);
  progress_shown_ = false;
}

void Console::flush() {
  clear_progress();
  std::fflush(settings_.messages);
  flush_results();
  if (results_error_ == 0 && std::ferror(settings_.results) == 0) return;
  const std::string reason = results_error_ != 0 ? std::strerror(results_error_) : "write error";
  throw milgrad::WriteError(
      milgrad::WriteError::Kind::io_error, "standard output",
      fmt::format("not everything was written; expected room, found: {}", reason));
}

ConsoleSettings console_settings(const CommonOptions& options,
                                 const std::map<std::string, std::string>& environment) {
  const auto variable = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  const bool terminal = isatty(STDERR_FILENO) != 0 && variable("TERM") != "dumb";
  return {.json = options.json,
          .quiet = options.quiet,
          .verbose = options.verbose,
          .colour = terminal && variable("NO_COLOR").empty(),
          .animate = terminal,
          .columns = result_columns(options, variable("COLUMNS"))};
}

}  // namespace mil
