// Where mil writes: results on standard output, messages on standard error, progress on a terminal
// only.
#pragma once

#include "examples/mil/options.h"
#include "examples/mil/report.h"

#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace mil {

struct ConsoleSettings {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool colour = false;   ///< standard error is a terminal and NO_COLOR is unset
  bool animate = false;  ///< standard error is a terminal that can redraw a line
  int columns = 0;       ///< that lines of results may have; 0: any number, as in a file
  std::FILE* results = stdout;
  std::FILE* messages = stderr;
};

class Console {
 public:
  explicit Console(const ConsoleSettings& settings) : settings_(settings) {}

  const ConsoleSettings& settings() const { return settings_; }

  /// A line of the results, for people. Under --json it is a message instead.
  void print(std::string_view line);

  /// The results for programs: one JSON value on standard output under --json, else nothing.
  void result(const nlohmann::json& value);

  /// A line about what is done; not under --quiet.
  void message(std::string_view line);

  /// A message under --verbose only.
  void detail(std::string_view line);

  /// "mil: warning: ..."; also under --quiet.
  void warning(std::string_view line);

  /// "mil: error: ..." with its hints, or the same as one line of JSON under --json.
  void error(const Diagnostic& diagnostic);

  /// A line that the next progress(), or any other output, replaces. Only on a terminal and not
  /// under --quiet: where it is not shown, say the outcome with message().
  void progress(std::string_view line);

  /// Writes out what is buffered. Throws WriteError where standard output did not take everything.
  void flush();

 private:
  void write(std::FILE* stream, std::string_view line);
  void flush_results();
  void labelled(std::string_view label, std::string_view colour, std::string_view line);
  void clear_progress();

  ConsoleSettings settings_;
  bool progress_shown_ = false;
  int results_error_ = 0;  // errno of the first write that failed
};

/// Settings for this process's own streams, from the options and the variables NO_COLOR and TERM.
ConsoleSettings console_settings(const CommonOptions& options,
                                 const std::map<std::string, std::string>& environment);

/// The text with control characters written as \xNN, so that file names cannot drive a terminal.
std::string printable(std::string_view text);

}  // namespace mil
