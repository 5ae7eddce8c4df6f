// The text of Keras 3's progress line (keras/src/utils/progbar.py describes the layout).
#include "nn/callbacks/progbar.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace milgrad::nn {
namespace {

constexpr int kBarWidth = 20;
constexpr double kInterval = 0.05;  // seconds between two updates of the line

constexpr const char* kReset = "\x1b[0m";
constexpr const char* kBold = "\x1b[1m";
constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kGrey = "\x1b[37m";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    const std::size_t dot = value.find('.');
    if (value.empty()) continue;
    if (dot == std::string_view::npos) return true;
    const std::string_view encoding = value.substr(dot + 1, 5);
    return encoding == "UTF-8" || encoding == "utf-8" || encoding.substr(0, 4) == "utf8" ||
           encoding.substr(0, 4) == "UTF8";
  }
  return true;
}

std::string repeated(std::string_view text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

/// "1:01:05", "1:05", "12s"
std::string remaining_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  if (seconds > 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60);
  if (seconds > 60) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

std::string step_text(double seconds) {
  if (seconds >= 1 || seconds == 0) return fmt::format(" {:.0f}s/step", seconds);
  if (seconds >= 1e-3) return fmt::format(" {:.0f}ms/step", seconds * 1e3);
  return fmt::format(" {:.0f}us/step", seconds * 1e6);
}

}  // namespace

TerminalStyle terminal_style(const std::ostream& output) {
  TerminalStyle style{.utf8 = utf8_locale()};
  if (environment("TERM") == "dumb") return style;
  if (&output == &std::cout) style.terminal = isatty(STDOUT_FILENO) == 1;
  if (&output == &std::cerr || &output == &std::clog) style.terminal = isatty(STDERR_FILENO) == 1;
  style.colour = style.terminal && environment("NO_COLOR").empty();
  return style;
}

Progbar::Progbar(std::ostream& output, const ProgbarOptions& options)
    : output_(output), options_(options) {
  if (!options_.now) options_.now = steady_seconds;
  start_ = options_.now();
}

Progbar::~Progbar() {
  if (open_) output_ << std::endl;
}

// The first step is left out of the average: it makes what the others reuse.
double Progbar::seconds_per_step(std::int64_t step, double now) const {
  if (step < 1) return 0;
  if (first_step_end_ >= 0 && step > 1)
    return (now - first_step_end_) / static_cast<double>(step - 1);
  return (now - start_) / static_cast<double>(step);
}

void Progbar::update(std::int64_t step, const std::function<Logs()>& values) {
  if (!options_.style.terminal) return;
  const double now = options_.now();
  if (step == 1) first_step_end_ = now;
  if (last_update_ >= 0 && now - last_update_ < kInterval) return;
  for (const auto& [name, value] : values()) shown_.set(name, value);
  rewrite(step, now, false);
  last_update_ = now;
}

void Progbar::finish(const Logs& values, const std::string& prefix) {
  for (const auto& [name, value] : values) shown_.set(name, value);
  const double now = options_.now();
  if (options_.style.terminal)
    rewrite(options_.target, now, true);
  else
    write_plain(now, prefix);
}

std::string Progbar::bold(const std::string& text) const {
  return options_.style.colour ? kBold + text + kReset : text;
}

std::string Progbar::bar(std::int64_t step) const {
  const int done = static_cast<int>(kBarWidth * static_cast<double>(step) /
                                    static_cast<double>(options_.target));
  const char* mark = options_.style.utf8 ? "\u2501" : "=";
  if (!options_.style.colour)
    return repeated(mark, done) + repeated(options_.style.utf8 ? "\u2500" : "-", kBarWidth - done);
  const std::string green = done > 0 ? kGreen + repeated(mark, done) + kReset : "";
  return green + kGrey + repeated(mark, kBarWidth - done) + kReset;
}

std::string Progbar::values_text() const {
  std::string text;
  for (const auto& [name, value] : shown_) {
    const bool fixed = std::abs(value) > 1e-3 || std::isnan(value);
    text += fixed ? fmt::format(" - {}: {:.4f}", name, value)
                  : fmt::format(" - {}: {:.4e}", name, value);
  }
  return text;
}

void Progbar::rewrite(std::int64_t step, double now, bool last) {
  const std::string total = std::to_string(options_.target);
  const std::string count = fmt::format("{:>{}}/{}", step, total.size(), total);
  const double per_step = seconds_per_step(step, now);
  const std::string time =
      last ? fmt::format("{:.0f}s", now - start_)
           : remaining_text(per_step * static_cast<double>(options_.target - step));
  const std::string rest = step_text(per_step) + values_text();
  const int width = static_cast<int>(count.size() + 1 + kBarWidth + 1 + time.size() + rest.size());

  std::string line = repeated("\b", previous_width_) + "\r";
  line += bold(count) + " " + bar(step) + " " + bold(time) + rest;
  line += std::string(static_cast<std::size_t>(std::max(0, previous_width_ - width)), ' ');
  if (last) line += '\n';
  output_ << line << std::flush;
  previous_width_ = width;
  open_ = !last;
}

void Progbar::write_plain(double now, const std::string& prefix) {
  output_ << fmt::format("{}{}/{} - {:.0f}s -{}{}\n", prefix, options_.target, options_.target,
                         now - start_, step_text(seconds_per_step(options_.target, now)),
                         values_text())
          << std::flush;
}

}  // namespace milgrad::nn
