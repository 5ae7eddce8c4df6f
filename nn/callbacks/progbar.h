// Progbar: Keras's progress line.
#pragma once

#include "nn/logs.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace milgrad::nn {

/// What the place that text goes to can show.
struct TerminalStyle {
  bool terminal = false;  // lines can be rewritten
  bool colour = false;
  bool utf8 = true;  // draws the bar with a box character, else with "="
};

/// The style of a stream: a terminal if it is std::cout, std::cerr or std::clog, that is one and
/// TERM is not "dumb"; then coloured unless NO_COLOR is set (no-color.org). The locale's variables
/// tell whether it is UTF-8; it is unless they name another encoding.
TerminalStyle terminal_style(const std::ostream& output);

struct ProgbarOptions {
  std::int64_t target = 1;  // steps
  TerminalStyle style = {};
  /// Seconds; by default a steady clock.
  std::function<double()> now = {};
};

/// The line of one epoch, evaluation or prediction. On a terminal it is rewritten, at most every
/// 50 ms, as Keras's verbose = 1 does; elsewhere it is written once at the end, as verbose = 2
/// does.
class Progbar {
 public:
  Progbar(std::ostream& output, const ProgbarOptions& options);
  /// Ends a line that was begun and not finished.
  ~Progbar();
  Progbar(const Progbar&) = delete;
  Progbar& operator=(const Progbar&) = delete;

  /// After step number `step`, counted from 1. Asks for the values only if it draws.
  void update(std::int64_t step, const std::function<Logs()>& values);
  /// Writes the line with its final values and the time taken. Where lines are not rewritten it
  /// begins with `prefix`.
  void finish(const Logs& values, const std::string& prefix = {});

 private:
  double seconds_per_step(std::int64_t step, double now) const;
  std::string bar(std::int64_t step) const;
  std::string values_text() const;
  std::string bold(const std::string& text) const;
  void rewrite(std::int64_t step, double now, bool last);
  void write_plain(double now, const std::string& prefix);

  std::ostream& output_;
  ProgbarOptions options_;
  double start_;
  double first_step_end_ = -1;
  double last_update_ = -1;
  int previous_width_ = 0;
  bool open_ = false;
  Logs shown_;
};

}  // namespace milgrad::nn
