// A drawing surface in points (1/72 inch) over cairo, and the look that all figures share:
// white page, sans-serif text, thin grey lines, the colour-blind safe palette of Okabe and Ito.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct _cairo;
struct _cairo_surface;

namespace mil {

/// Resolution of every figure; 1 point is kDotsPerInch / 72 pixels.
inline constexpr double kDotsPerInch = 200.0;
inline constexpr double kPixelsPerPoint = kDotsPerInch / 72.0;

/// Red, green and blue, each 0 to 1.
struct Colour {
  double red, green, blue;
};

inline constexpr Colour kInk{0.10, 0.10, 0.10};
inline constexpr Colour kGrey{0.40, 0.40, 0.40};
inline constexpr Colour kLightGrey{0.85, 0.85, 0.85};
// M. Okabe, K. Ito, "Color Universal Design", 2008: blue #0072B2, vermilion #D55E00,
// orange #E69F00.
inline constexpr Colour kBlue{0.0, 0x72 / 255.0, 0xB2 / 255.0};
inline constexpr Colour kOrange{0xE6 / 255.0, 0x9F / 255.0, 0.0};
inline constexpr Colour kVermilion{0xD5 / 255.0, 0x5E / 255.0, 0.0};

struct Point {
  double x, y;
};

struct Rectangle {
  double x, y, width, height;
};

/// Greyscale image, row by row; values from 0 (black) to 1 (white), clipped beyond.
struct GreyImage {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<float> values = {};
};

/// The image of `rows` x `columns` bytes, 0 black and 255 white. ShapeError if the count differs.
GreyImage grey_image(std::span<const std::uint8_t> bytes, std::size_t rows, std::size_t columns);

enum class Align { left, centre, right };
enum class Weight { normal, bold };
enum class Direction { horizontal, upward };

struct TextStyle {
  double size = 9.0;
  Weight weight = Weight::normal;
  Colour colour = kInk;
  Align align = Align::left;
  Direction direction = Direction::horizontal;
};

struct Stroke {
  double width = 0.6;
  Colour colour = kInk;
  std::vector<double> dashes = {};
};

enum class Marker { circle, square };

/// Width of `text` in points. Text is UTF-8.
double text_width(const std::string& text, const TextStyle& style = {});

/// `text` broken at spaces into lines of at most `width` points; a longer word stands alone.
std::vector<std::string> wrap_text(const std::string& text, double width,
                                   const TextStyle& style = {});

/// A white page of `width` x `height` points, at least 1 pixel and at most 32,767 pixels a side
/// (cairo's limit); otherwise ValueError.
class Canvas {
 public:
  Canvas(double width, double height);

  /// Draws one line of text; `anchor` is on the baseline, at the left, centre or right.
  void text(Point anchor, const std::string& text, const TextStyle& style = {});
  /// Draws through all points; nothing for fewer than two.
  void polyline(std::span<const Point> points, const Stroke& stroke = {});
  void line(Point from, Point to, const Stroke& stroke = {});
  void outline(const Rectangle& box, const Stroke& stroke = {});
  /// Draws a filled marker `size` points wide.
  void marker(Point centre, Marker shape, double size, const Colour& colour);
  /// Draws the image as large as fits into `box`, centred, and returns the rectangle it covers.
  /// Enlarged pixels stay sharp squares of whole device pixels.
  Rectangle image(const GreyImage& image, const Rectangle& box);

  /// The page as a PNG file's bytes.
  std::vector<std::uint8_t> png() const;

 private:
  void stroke_path(const Stroke& stroke);

  std::unique_ptr<_cairo_surface, void (*)(_cairo_surface*)> surface_;
  std::unique_ptr<_cairo, void (*)(_cairo*)> context_;
};

/// A small figure that only says something: `title` in bold and `message` under it.
std::vector<std::uint8_t> render_message(const std::string& title, const std::string& message);

}  // namespace mil
