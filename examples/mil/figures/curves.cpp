// Drawing of training curves: panels side by side under one title and one legend.
#include "examples/mil/figures/curves.h"

#include "examples/mil/figures/axis.h"
#include "examples/mil/figures/canvas.h"
#include "tensor/error.h"

#include <algorithm>

#include <fmt/format.h>

namespace mil {

namespace {

constexpr double kPageMargin = 12.0;
constexpr double kPanelWidth = 198.0;
constexpr double kPanelHeight = 138.0;
constexpr double kAxisWidth = 46.0;   // tick labels and name of a y axis
constexpr double kAxisHeight = 32.0;  // tick labels and name of the x axis
constexpr double kPanelGap = 20.0;
constexpr double kLineHeight = 13.0;
constexpr double kTickLength = 3.0;
constexpr std::size_t kMostMarkers = 24;

const TextStyle kTitleStyle{.size = 10.0, .weight = Weight::bold};
const TextStyle kSmallStyle{.size = 8.0};

/// How a series looks. Training lies under validation and is broader, so that equal values show
/// both.
struct SeriesStyle {
  Marker marker;
  double marker_size;
  double line_width;
  Colour colour;
};

constexpr SeriesStyle kTraining{Marker::circle, 4.4, 1.6, kBlue};
constexpr SeriesStyle kValidation{Marker::square, 3.2, 1.0, kVermilion};

struct Panel {
  std::string name;
  const std::vector<double>* training;
  const std::vector<double>* validation;
  Axis axis;
};

struct EpochMark {
  int epoch;
  std::string label;
  Stroke stroke;
};

void check_curves(const TrainingCurves& curves) {
  const auto check_count = [&](const char* name, const std::vector<double>& values) {
    if (values.empty() || values.size() == curves.epochs.size()) return;
    throw milgrad::ValueError(
        fmt::format("[render_curves] {} values of {} for {} epochs; expected one per epoch",
                    values.size(), name, curves.epochs.size()));
  };
  check_count("loss", curves.loss);
  check_count("val_loss", curves.val_loss);
  check_count("accuracy", curves.accuracy);
  check_count("val_accuracy", curves.val_accuracy);
  for (std::size_t i = 1; i < curves.epochs.size(); ++i) {
    if (curves.epochs[i] > curves.epochs[i - 1]) continue;
    throw milgrad::ValueError(
        fmt::format("[render_curves] epoch {} follows epoch {}; expected increasing epochs",
                    curves.epochs[i], curves.epochs[i - 1]));
  }
  const auto check_epoch = [&](const char* name, std::optional<int> epoch) {
    if (!epoch || curves.epochs.empty()) return;
    if (*epoch >= curves.epochs.front() && *epoch <= curves.epochs.back()) return;
    throw milgrad::ValueError(fmt::format("[render_curves] {} epoch {}; expected one of {} to {}",
                                          name, *epoch, curves.epochs.front(),
                                          curves.epochs.back()));
  };
  check_epoch("best", curves.best_epoch);
  check_epoch("stopped", curves.stopped_epoch);
}

std::vector<double> joined(const std::vector<double>& first, const std::vector<double>& second) {
  std::vector<double> all = first;
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

std::vector<Panel> panels_of(const TrainingCurves& curves) {
  std::vector<Panel> panels;
  if (!curves.loss.empty() || !curves.val_loss.empty()) {
    panels.push_back(
        {"loss", &curves.loss, &curves.val_loss, wide_axis(joined(curves.loss, curves.val_loss))});
  }
  if (!curves.accuracy.empty() || !curves.val_accuracy.empty()) {
    panels.push_back({"accuracy", &curves.accuracy, &curves.val_accuracy,
                      linear_axis(joined(curves.accuracy, curves.val_accuracy))});
    // The margin may reach past the fractions that exist; no tick does.
    std::erase_if(panels.back().axis.ticks,
                  [](const Tick& tick) { return tick.value < 0.0 || tick.value > 1.0 + 1e-9; });
  }
  return panels;
}

std::vector<EpochMark> marks_of(const TrainingCurves& curves) {
  std::vector<EpochMark> marks;
  if (curves.best_epoch) {
    marks.push_back({*curves.best_epoch,
                     fmt::format("best: epoch {}", *curves.best_epoch),
                     {.width = 0.9, .colour = kInk, .dashes = {4.0, 2.5}}});
  }
  if (curves.stopped_epoch) {
    marks.push_back({*curves.stopped_epoch,
                     fmt::format("stopped early: epoch {}", *curves.stopped_epoch),
                     {.width = 0.9, .colour = kGrey, .dashes = {1.0, 2.0}}});
  }
  return marks;
}

/// Draws panels of one page, which share the x axis and the epoch marks.
class PanelPainter {
 public:
  PanelPainter(Canvas& canvas, const TrainingCurves& curves, const Rectangle& area)
      : canvas_(canvas),
        curves_(curves),
        area_(area),
        epochs_(integer_axis(curves.epochs.front(), curves.epochs.back())) {}

  void paint(const Panel& panel) {
    paint_marks();
    paint_axes(panel);
    paint_series(panel, *panel.training, kTraining);
    paint_series(panel, *panel.validation, kValidation);
    const auto all = joined(*panel.training, *panel.validation);
    if (std::none_of(all.begin(), all.end(), drawable)) {
      TextStyle style = kSmallStyle;
      style.align = Align::centre;
      canvas_.text({area_.x + area_.width / 2.0, area_.y + area_.height / 2.0}, "no finite value",
                   style);
    }
  }

 private:
  double x_of(double epoch) const { return area_.x + area_.width * epochs_.fraction(epoch); }
  double y_of(const Panel& panel, double value) const {
    return area_.y + area_.height * (1.0 - panel.axis.fraction(value));
  }

  void paint_marks() {
    double baseline = area_.y - 5.5;
    double label_left = 0.0;
    double label_right = 0.0;  // of the label one line below
    for (const EpochMark& mark : marks_of(curves_)) {
      const double x = x_of(mark.epoch);
      const bool crosses_label = label_left - 2.0 < x && x < label_right + 2.0;
      const double top = crosses_label ? area_.y - 1.5 : baseline + 4.0;
      canvas_.line({x, top}, {x, area_.y + area_.height}, mark.stroke);
      const double width = text_width(mark.label, kSmallStyle);
      label_left = std::clamp(x - width / 2.0, area_.x, area_.x + area_.width - width);
      label_right = label_left + width;
      TextStyle style = kSmallStyle;
      style.colour = mark.stroke.colour;
      canvas_.text({label_left, baseline}, mark.label, style);
      baseline -= kLineHeight;
    }
  }

  void paint_axes(const Panel& panel) {
    const double bottom = area_.y + area_.height;
    const double right = area_.x + area_.width;
    TextStyle style = kSmallStyle;
    style.align = Align::right;
    for (const Tick& tick : panel.axis.ticks) {
      const double y = y_of(panel, tick.value);
      const bool major = !tick.label.empty();
      if (major) canvas_.line({area_.x, y}, {right, y}, {.width = 0.4, .colour = kLightGrey});
      canvas_.line({area_.x - (major ? kTickLength : kTickLength / 2.0), y}, {area_.x, y});
      canvas_.text({area_.x - kTickLength - 2.5, y + 2.9}, tick.label, style);
    }
    style.align = Align::centre;
    for (const Tick& tick : epochs_.ticks) {
      const double x = x_of(tick.value);
      canvas_.line({x, bottom}, {x, bottom + kTickLength});
      canvas_.text({x, bottom + kTickLength + 9.0}, tick.label, style);
    }
    canvas_.line({area_.x, area_.y}, {area_.x, bottom});
    canvas_.line({area_.x, bottom}, {right, bottom});
    const TextStyle name{.align = Align::centre};
    canvas_.text({area_.x + area_.width / 2.0, bottom + kAxisHeight - 6.0}, "epoch", name);
    TextStyle upward = name;
    upward.direction = Direction::upward;
    canvas_.text({area_.x - kAxisWidth + 10.0, area_.y + area_.height / 2.0}, panel.name, upward);
  }

  void paint_series(const Panel& panel, const std::vector<double>& values,
                    const SeriesStyle& style) {
    const std::size_t spacing = (values.size() + kMostMarkers - 1) / kMostMarkers;
    const auto mark = [&](Point point) {
      canvas_.marker(point, style.marker, style.marker_size, style.colour);
    };
    std::vector<Point> run;  // consecutive drawable values
    for (std::size_t i = 0; i <= values.size(); ++i) {
      if (i < values.size() && drawable(values[i])) {
        run.push_back({x_of(curves_.epochs[i]), y_of(panel, values[i])});
        if (i % spacing == 0) mark(run.back());
        continue;
      }
      canvas_.polyline(run, {.width = style.line_width, .colour = style.colour});
      if (run.size() == 1) mark(run.front());
      run.clear();
    }
  }

  Canvas& canvas_;
  const TrainingCurves& curves_;
  Rectangle area_;
  Axis epochs_;
};

void paint_legend(Canvas& canvas, const std::vector<Panel>& panels, double baseline) {
  const auto recorded = [&](const std::vector<double>* Panel::*series) {
    return std::any_of(panels.begin(), panels.end(),
                       [&](const Panel& panel) { return !(panel.*series)->empty(); });
  };
  double x = kPageMargin + kAxisWidth;
  const auto entry = [&](const char* name, const SeriesStyle& style) {
    const double y = baseline - 3.0;
    canvas.line({x, y}, {x + 18.0, y}, {.width = style.line_width, .colour = style.colour});
    canvas.marker({x + 9.0, y}, style.marker, style.marker_size, style.colour);
    canvas.text({x + 22.0, baseline}, name, kSmallStyle);
    x += 22.0 + text_width(name, kSmallStyle) + 16.0;
  };
  if (recorded(&Panel::training)) entry("training", kTraining);
  if (recorded(&Panel::validation)) entry("validation", kValidation);
}

}  // namespace

std::vector<std::uint8_t> render_curves(const TrainingCurves& curves) {
  check_curves(curves);
  const std::vector<Panel> panels = panels_of(curves);
  if (curves.epochs.empty() || panels.empty()) {
    return render_message(curves.title, "No epoch has been recorded.");
  }
  const double panel_step = kAxisWidth + kPanelWidth + kPanelGap;
  const double width =
      2.0 * kPageMargin + static_cast<double>(panels.size()) * panel_step - kPanelGap;
  const auto title = wrap_text(curves.title, width - 2.0 * kPageMargin, kTitleStyle);
  const double legend = kPageMargin + 9.0 + static_cast<double>(title.size()) * kLineHeight;
  const double top = legend + 10.0 + kLineHeight * static_cast<double>(marks_of(curves).size());
  Canvas canvas(width, top + kPanelHeight + kAxisHeight + kPageMargin / 2.0);
  for (std::size_t i = 0; i < title.size(); ++i) {
    canvas.text({kPageMargin, kPageMargin + 9.0 + static_cast<double>(i) * kLineHeight}, title[i],
                kTitleStyle);
  }
  paint_legend(canvas, panels, legend + 2.0);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const double left = kPageMargin + kAxisWidth + static_cast<double>(i) * panel_step;
    PanelPainter(canvas, curves, {left, top, kPanelWidth, kPanelHeight}).paint(panels[i]);
  }
  return canvas.png();
}

}  // namespace mil
