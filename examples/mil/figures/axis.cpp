// Choice of ranges and ticks.
#include "examples/mil/figures/axis.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace mil {

namespace {

constexpr double kMostTicks = 6.0;
constexpr double kMostShortTicks = 10.0;
constexpr double kMargin = 0.05;
constexpr double kDecadesForLogarithm = 1.5;
constexpr double kLargestDrawable = 1e100;
constexpr double kSmallestLogarithmic = 1e-100;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool empty() const { return low > high; }
};

Range drawable_range(std::span<const double> values) {
  Range range;
  for (const double value : values) {
    if (!drawable(value)) continue;
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
  return range;
}

/// The smallest 1, 2 or 5 times a power of ten that is not below `step`.
double nice_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1.0 - 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

std::string tick_label(double value, double step) {
  if (step >= 1e5 || step < 1e-4) return fmt::format("{:.3g}", value);
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return fmt::format("{:.{}f}", value, decimals);
}

std::vector<Tick> linear_ticks(double low, double high, double step) {
  std::vector<Tick> ticks;
  const double last = std::floor(high / step + 1e-9);
  for (double i = std::ceil(low / step - 1e-9); i <= last; i += 1.0) {
    const double value = i == 0.0 ? 0.0 : i * step;  // -0 would be labelled "-0"
    ticks.push_back({value, tick_label(value, step)});
  }
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high) {
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const int decades_per_label = std::max(1, (last - first) / static_cast<int>(kMostTicks));
  std::vector<Tick> ticks;
  for (int exponent = first; exponent <= last; ++exponent) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double value = digit * std::pow(10.0, exponent);
      if (value < low || value > high) continue;
      const bool label_digit = digit == 1 || (last - first <= 3 && (digit == 2 || digit == 5));
      const bool labelled = label_digit && (exponent - first) % decades_per_label == 0;
      ticks.push_back({value, labelled ? fmt::format("{:g}", value) : ""});
    }
  }
  return ticks;
}

}  // namespace

bool drawable(double value) { return std::abs(value) <= kLargestDrawable; }

double Axis::fraction(double value) const {
  if (scale == AxisScale::logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

Axis integer_axis(int first, int last) {
  // Labels of one or two digits leave room for more ticks.
  const double most_ticks = last < 100 ? kMostShortTicks : kMostTicks;
  const double extent = static_cast<double>(last) - first;
  const double step = nice_step(std::max(1.0, extent / most_ticks));
  const double margin = std::max(0.5, 0.03 * extent);
  const double low = first - margin;
  const double high = last + margin;
  return {low, high, AxisScale::linear, linear_ticks(first, last, step)};
}

Axis linear_axis(std::span<const double> values) {
  const Range range = drawable_range(values);
  if (range.empty()) return {};
  double extent = range.high - range.low;
  if (extent <= 1e-9 * std::abs(range.high)) {
    extent = range.high == 0.0 ? 1.0 : std::abs(range.high);
  }
  const double low = range.low - kMargin * extent;
  const double high = range.high + kMargin * extent;
  return {low, high, AxisScale::linear,
          linear_ticks(low, high, nice_step((high - low) / kMostTicks))};
}

Axis wide_axis(std::span<const double> values) {
  const Range range = drawable_range(values);
  if (range.empty() || range.low < kSmallestLogarithmic) return linear_axis(values);
  const double decades = std::log10(range.high) - std::log10(range.low);
  if (decades <= kDecadesForLogarithm) return linear_axis(values);
  const double margin = std::pow(10.0, kMargin * decades);
  const double low = range.low / margin;
  const double high = range.high * margin;
  return {low, high, AxisScale::logarithmic, log_ticks(low, high)};
}

}  // namespace mil
