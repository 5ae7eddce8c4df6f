// Axes of a plot: which range is shown, where the ticks are and what they are called.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mil {

/// Whether a value can be drawn: finite, and not so large that computing with it overflows.
bool drawable(double value);

/// A tick; minor ticks have no label.
struct Tick {
  double value;
  std::string label;
};

enum class AxisScale { linear, logarithmic };

struct Axis {
  double low = 0.0;
  double high = 1.0;
  AxisScale scale = AxisScale::linear;
  std::vector<Tick> ticks = {};

  /// Where `value` lies between low (0) and high (1).
  double fraction(double value) const;
};

/// An axis for whole numbers `first`..`last`, ticks at whole numbers only.
Axis integer_axis(int first, int last);

/// An axis that holds all drawable values, with a margin and ticks at 1, 2 or 5 times a power of
/// ten. 0 to 1 without ticks where no value is drawable.
Axis linear_axis(std::span<const double> values);

/// As linear_axis, but logarithmic where all drawable values are positive and their largest is more
/// than 1.5 decades above their smallest.
Axis wide_axis(std::span<const double> values);

}  // namespace mil
