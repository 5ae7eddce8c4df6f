// Progbar: Keras's progress line.
#pragma once

#include "nn/logs.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace milgrad::nn {

/// What the place the text goes to can show.
struct TerminalStyle {
  bool terminal = false;  // rewrites lines
  bool colour = false;
  bool utf8 = true;  // draws the bar with a box character, else with "="
};

/// The style of a stream: a terminal if it is std::cout, std::cerr or std::clog and that is one;
/// colour unless NO_COLOR is set (no-color.org) or TERM is "dumb".
TerminalStyle terminal_style(const std::ostream& output);

struct ProgbarOptions {
  std::int64_t target = 0;  // steps
  TerminalStyle style = {};
  /// Seconds; by default a steady clock.
  std::function<double()> now = {};
};

/// The line of one epoch, evaluation or prediction. On a terminal update() rewrites it, at most
/// every 50 ms, as Keras's verbose = 1 does; elsewhere only finish() writes, as verbose = 2 does.
class Progbar {
 public:
  Progbar(std::ostream& output, const ProgbarOptions& options);

  /// Whether update() would draw now: the caller may save itself reading the values.
  bool due() const;
  void update(std::int64_t step, const Logs& values);
  /// The line with its final values and the time taken. `line` begins it where lines are not
  /// rewritten.
  void finish(const Logs& values, const std::string& line = {});
  /// A step was done, whether update() is called for it or not.
  void step_done(std::int64_t step);

 private:
  double seconds_per_step(std::int64_t step, double now) const;
  void draw(std::int64_t step, const Logs& values, bool last);

  std::ostream& output_;
  ProgbarOptions options_;
  double start_;
  double first_step_end_ = -1;
  double last_update_ = 0;
  int previous_width_ = 0;
};

}  // namespace milgrad::nn
