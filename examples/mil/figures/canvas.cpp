// The drawing surface of the figures, over cairo's image surface and its "toy" text interface.
#include "examples/mil/figures/canvas.h"

#include "tensor/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include <cairo.h>
#include <fmt/format.h>
#include <fontconfig/fontconfig.h>

namespace mil {

namespace {

constexpr double kLargestSide = 32767.0;

using Surface = std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)>;
using Context = std::unique_ptr<cairo_t, void (*)(cairo_t*)>;

void require_success(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  throw milgrad::Error(fmt::format("[figure] cairo failed: {}", cairo_status_to_string(status)));
}

/// Frees the caches that cairo and fontconfig keep for the life of the process, so that a leak
/// checker reports nothing but leaks.
struct CacheRelease {
  ~CacheRelease() {
    cairo_debug_reset_static_data();
    FcFini();
  }
};

Surface make_surface(double width, double height) {
  const double columns = std::ceil(width * kPixelsPerPoint);
  const double rows = std::ceil(height * kPixelsPerPoint);
  if (!(columns >= 1 && rows >= 1 && columns <= kLargestSide && rows <= kLargestSide)) {
    throw milgrad::ValueError(
        fmt::format("[figure] {:.0f} x {:.0f} pixels; expected 1 to {:.0f} a side", columns, rows,
                    kLargestSide),
        "draw fewer bags or fewer instances");
  }
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(columns),
                                             static_cast<int>(rows)),
                  cairo_surface_destroy);
  require_success(cairo_surface_status(surface.get()));
  return surface;
}

Context make_context(cairo_surface_t* surface) {
  static const CacheRelease release_at_exit;
  Context context(cairo_create(surface), cairo_destroy);
  require_success(cairo_status(context.get()));
  cairo_scale(context.get(), kPixelsPerPoint, kPixelsPerPoint);
  // Unhinted greyscale text has the same shape and width at any resolution and on any screen
  // set-up, so equal input gives equal bytes.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(context.get(), options);
  cairo_font_options_destroy(options);
  return context;
}

void set_colour(cairo_t* context, const Colour& colour) {
  cairo_set_source_rgb(context, colour.red, colour.green, colour.blue);
}

double advance_of(cairo_t* context, const std::string& text, const TextStyle& style) {
  cairo_select_font_face(
      context, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
      style.weight == Weight::bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context, style.size);
  cairo_text_extents_t extents;
  cairo_text_extents(context, text.c_str(), &extents);
  require_success(cairo_status(context));
  return extents.x_advance;
}

double snap_to_pixel(double points) {
  return std::round(points * kPixelsPerPoint) / kPixelsPerPoint;
}

Surface make_pixels(const GreyImage& image) {
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(image.columns),
                                             static_cast<int>(image.rows)),
                  cairo_surface_destroy);
  require_success(cairo_surface_status(surface.get()));
  unsigned char* data = cairo_image_surface_get_data(surface.get());
  const auto stride = static_cast<std::size_t>(cairo_image_surface_get_stride(surface.get()));
  for (std::size_t row = 0; row < image.rows; ++row) {
    auto* line = reinterpret_cast<std::uint32_t*>(data + row * stride);
    for (std::size_t column = 0; column < image.columns; ++column) {
      const float value = std::clamp(image.values[row * image.columns + column], 0.0f, 1.0f);
      line[column] = static_cast<std::uint32_t>(std::lround(value * 255.0f)) * 0x010101u;
    }
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

cairo_status_t append_bytes(void* closure, const unsigned char* data, unsigned int length) {
  auto* bytes = static_cast<std::vector<std::uint8_t>*>(closure);
  bytes->insert(bytes->end(), data, data + length);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

GreyImage grey_image(std::span<const std::uint8_t> bytes, std::size_t rows, std::size_t columns) {
  if (bytes.size() != rows * columns) {
    throw milgrad::ShapeError(fmt::format("[grey_image] {} bytes; expected {} for shape ({}, {})",
                                          bytes.size(), rows * columns, rows, columns));
  }
  GreyImage image{.rows = rows, .columns = columns, .values = {}};
  image.values.reserve(bytes.size());
  for (const std::uint8_t byte : bytes) image.values.push_back(static_cast<float>(byte) / 255.0f);
  return image;
}

double text_width(const std::string& text, const TextStyle& style) {
  const Surface surface = make_surface(1.0, 1.0);
  const Context context = make_context(surface.get());
  return advance_of(context.get(), text, style);
}

std::vector<std::string> wrap_text(const std::string& text, double width, const TextStyle& style) {
  std::vector<std::string> lines;
  std::istringstream words(text);
  std::string word;
  while (words >> word) {
    if (!lines.empty() && text_width(lines.back() + " " + word, style) <= width) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

Canvas::Canvas(double width, double height)
    : surface_(make_surface(width, height)), context_(make_context(surface_.get())) {
  cairo_set_source_rgb(context_.get(), 1.0, 1.0, 1.0);
  cairo_paint(context_.get());
}

void Canvas::text(Point anchor, const std::string& text, const TextStyle& style) {
  cairo_t* context = context_.get();
  const double advance = advance_of(context, text, style);
  double shift = 0.0;
  if (style.align == Align::centre) shift = -advance / 2.0;
  if (style.align == Align::right) shift = -advance;
  cairo_save(context);
  cairo_translate(context, anchor.x, anchor.y);
  if (style.direction == Direction::upward) cairo_rotate(context, -std::numbers::pi / 2.0);
  set_colour(context, style.colour);
  cairo_move_to(context, shift, 0.0);
  cairo_show_text(context, text.c_str());
  cairo_restore(context);
  cairo_new_path(context);
}

void Canvas::stroke_path(const Stroke& stroke) {
  cairo_t* context = context_.get();
  set_colour(context, stroke.colour);
  cairo_set_line_width(context, stroke.width);
  cairo_set_dash(context, stroke.dashes.data(), static_cast<int>(stroke.dashes.size()), 0.0);
  cairo_stroke(context);
}

void Canvas::polyline(std::span<const Point> points, const Stroke& stroke) {
  if (points.size() < 2) return;
  cairo_set_line_join(context_.get(), CAIRO_LINE_JOIN_ROUND);
  for (const Point& point : points) cairo_line_to(context_.get(), point.x, point.y);
  stroke_path(stroke);
}

void Canvas::line(Point from, Point to, const Stroke& stroke) {
  const Point points[] = {from, to};
  polyline(points, stroke);
}

void Canvas::outline(const Rectangle& box, const Stroke& stroke) {
  cairo_set_line_join(context_.get(), CAIRO_LINE_JOIN_MITER);
  cairo_rectangle(context_.get(), box.x, box.y, box.width, box.height);
  stroke_path(stroke);
}

void Canvas::marker(Point centre, Marker shape, double size, const Colour& colour) {
  cairo_t* context = context_.get();
  if (shape == Marker::circle) {
    cairo_arc(context, centre.x, centre.y, size / 2.0, 0.0, 2.0 * std::numbers::pi);
  } else {
    cairo_rectangle(context, centre.x - size / 2.0, centre.y - size / 2.0, size, size);
  }
  set_colour(context, colour);
  cairo_fill(context);
}

Rectangle Canvas::image(const GreyImage& image, const Rectangle& box) {
  const Surface pixels = make_pixels(image);
  const auto columns = static_cast<double>(image.columns);
  const auto rows = static_cast<double>(image.rows);
  double scale = std::min(box.width / columns, box.height / rows) * kPixelsPerPoint;
  // Whole device pixels per image pixel, unless the image would then use much less of its box.
  if (scale >= 2.0) scale = std::floor(scale);
  const bool shrunk = scale < 1.0;
  scale /= kPixelsPerPoint;
  const Rectangle area{snap_to_pixel(box.x + (box.width - columns * scale) / 2.0),
                       snap_to_pixel(box.y + (box.height - rows * scale) / 2.0), columns * scale,
                       rows * scale};
  cairo_t* context = context_.get();
  cairo_save(context);
  cairo_rectangle(context, area.x, area.y, area.width, area.height);
  cairo_clip(context);
  cairo_translate(context, area.x, area.y);
  cairo_scale(context, scale, scale);
  cairo_set_source_surface(context, pixels.get(), 0.0, 0.0);
  // Shrinking by nearest neighbour would drop whole rows; averaging keeps thin strokes.
  cairo_pattern_set_filter(cairo_get_source(context),
                           shrunk ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST);
  cairo_pattern_set_extend(cairo_get_source(context), CAIRO_EXTEND_PAD);
  cairo_paint(context);
  cairo_restore(context);
  return area;
}

std::vector<std::uint8_t> Canvas::png() const {
  require_success(cairo_status(context_.get()));
  std::vector<std::uint8_t> bytes;
  require_success(cairo_surface_write_to_png_stream(surface_.get(), append_bytes, &bytes));
  return bytes;
}

std::vector<std::uint8_t> render_message(const std::string& title, const std::string& message) {
  constexpr double kMargin = 16.0;
  constexpr double kTextWidth = 288.0;
  constexpr double kLineHeight = 14.0;
  const TextStyle bold{.size = 10.0, .weight = Weight::bold};
  const TextStyle plain{.size = 9.0, .colour = kGrey};
  const auto title_lines = wrap_text(title, kTextWidth, bold);
  const auto message_lines = wrap_text(message, kTextWidth, plain);
  const double lines = static_cast<double>(title_lines.size() + message_lines.size());
  Canvas canvas(kTextWidth + 2.0 * kMargin, 2.0 * kMargin + lines * kLineHeight);
  double baseline = kMargin + bold.size;
  for (const auto& line : title_lines) {
    canvas.text({kMargin, baseline}, line, bold);
    baseline += kLineHeight;
  }
  for (const auto& line : message_lines) {
    canvas.text({kMargin, baseline}, line, plain);
    baseline += kLineHeight;
  }
  return canvas.png();
}

}  // namespace mil
