// The figures of the program mil: axes, training curves and bags, decoded back to pixels.
#include "examples/mil/figures/axis.h"
#include "examples/mil/figures/bags.h"
#include "examples/mil/figures/canvas.h"
#include "examples/mil/figures/curves.h"
#include "tensor/error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <cairo.h>
#include <doctest/doctest.h>

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint32_t kBlueRgb = 0x0072B2;
constexpr std::uint32_t kOrangeRgb = 0xE69F00;
constexpr std::uint32_t kVermilionRgb = 0xD55E00;
constexpr std::uint32_t kWhiteRgb = 0xFFFFFF;

/// A PNG file decoded by cairo.
class Picture {
 public:
  explicit Picture(const Bytes& bytes) {
    Reader reader{&bytes, 0};
    surface_.reset(cairo_image_surface_create_from_png_stream(read, &reader));
    REQUIRE(cairo_surface_status(surface_.get()) == CAIRO_STATUS_SUCCESS);
  }

  int width() const { return cairo_image_surface_get_width(surface_.get()); }
  int height() const { return cairo_image_surface_get_height(surface_.get()); }

  std::uint32_t pixel(int x, int y) const {
    REQUIRE((x >= 0 && x < width() && y >= 0 && y < height()));
    const unsigned char* row = cairo_image_surface_get_data(surface_.get()) +
                               y * cairo_image_surface_get_stride(surface_.get());
    std::uint32_t value;
    std::memcpy(&value, row + 4 * x, sizeof value);
    return value & 0xFFFFFF;
  }

  /// The pixel that holds a place given in points.
  std::uint32_t at(double x, double y) const {
    return pixel(static_cast<int>(x * mil::kPixelsPerPoint),
                 static_cast<int>(y * mil::kPixelsPerPoint));
  }

  int count(std::uint32_t colour) const {
    int found = 0;
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) found += pixel(x, y) == colour ? 1 : 0;
    }
    return found;
  }

  /// How many runs of neighbouring columns hold the colour, in the left half below row `top`.
  int column_runs(std::uint32_t colour, int top) const {
    int runs = 0;
    bool inside = false;
    for (int x = 0; x < width() / 2; ++x) {
      bool found = false;
      for (int y = top; y < height() && !found; ++y) found = pixel(x, y) == colour;
      if (found && !inside) ++runs;
      inside = found;
    }
    return runs;
  }

 private:
  struct Reader {
    const Bytes* bytes;
    std::size_t place;
  };

  static cairo_status_t read(void* closure, unsigned char* data, unsigned int length) {
    auto* reader = static_cast<Reader*>(closure);
    if (reader->bytes->size() - reader->place < length) return CAIRO_STATUS_READ_ERROR;
    std::memcpy(data, reader->bytes->data() + reader->place, length);
    reader->place += length;
    return CAIRO_STATUS_SUCCESS;
  }

  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_{nullptr,
                                                                        cairo_surface_destroy};
};

std::vector<std::string> labels_of(const mil::Axis& axis) {
  std::vector<std::string> labels;
  for (const auto& tick : axis.ticks) {
    if (!tick.label.empty()) labels.push_back(tick.label);
  }
  return labels;
}

mil::TrainingCurves three_epochs() {
  return {.title = "Three epochs",
          .epochs = {1, 2, 3},
          .loss = {0.6, 0.4, 0.3},
          .val_loss = {0.5, 0.45, 0.44},
          .accuracy = {0.7, 0.8, 0.9},
          .val_accuracy = {0.75, 0.8, 0.85}};
}

/// 28 x 28 pixels, each of its own value.
mil::GreyImage ramp() {
  mil::GreyImage image{.rows = 28, .columns = 28};
  for (int i = 0; i < 784; ++i) image.values.push_back(static_cast<float>(i) / 783.0f);
  return image;
}

mil::PicturedBag bag_of(std::size_t instances, std::vector<double> attention = {}) {
  return {.number = 12,
          .images = std::vector<mil::GreyImage>(instances, ramp()),
          .attention = std::move(attention),
          .true_class = "positive"};
}

template <typename Error, typename Function>
std::string message_of(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("figures: a linear axis holds its values and has ticks at nice numbers") {
  const std::vector<double> values = {0.81, 0.99, kNaN};
  const mil::Axis axis = mil::linear_axis(values);
  CHECK(axis.scale == mil::AxisScale::linear);
  CHECK(axis.low == doctest::Approx(0.801));
  CHECK(axis.high == doctest::Approx(0.999));
  CHECK(labels_of(axis) == std::vector<std::string>{"0.85", "0.90", "0.95"});
  CHECK(axis.fraction(axis.low) == 0.0);
  CHECK(axis.fraction(0.9) == doctest::Approx(0.5));
  CHECK(axis.fraction(axis.high) == 1.0);
  const std::vector<double> around_zero = {-1.0, 1.0};
  CHECK(labels_of(mil::linear_axis(around_zero)) ==
        std::vector<std::string>{"-1.0", "-0.5", "0.0", "0.5", "1.0"});
}

TEST_CASE("figures: an axis of one value or of none has a width") {
  const std::vector<double> one = {2.0};
  CHECK(mil::linear_axis(one).fraction(2.0) == doctest::Approx(0.5));
  const std::vector<double> zero = {0.0, 0.0};
  CHECK(mil::linear_axis(zero).fraction(0.0) == doctest::Approx(0.5));
  const std::vector<double> none = {kNaN, INFINITY};
  CHECK(mil::wide_axis(none).low == 0.0);
  CHECK(mil::wide_axis(none).high == 1.0);
  CHECK(mil::wide_axis(none).ticks.empty());
  const std::vector<double> absurd = {1e-300, 1.0, 1e300, -1e300};
  CHECK(mil::wide_axis(absurd).scale == mil::AxisScale::linear);
  CHECK(mil::wide_axis(absurd).high == doctest::Approx(1.05));
}

TEST_CASE("figures: an axis is logarithmic above 1.5 decades of positive values") {
  const std::vector<double> narrow = {0.1, 3.1};
  CHECK(mil::wide_axis(narrow).scale == mil::AxisScale::linear);
  const std::vector<double> wide = {0.1, 3.2};
  const mil::Axis axis = mil::wide_axis(wide);
  CHECK(axis.scale == mil::AxisScale::logarithmic);
  CHECK(labels_of(axis) == std::vector<std::string>{"0.1", "0.2", "0.5", "1", "2"});
  CHECK(axis.fraction(std::sqrt(0.1 * 3.2)) == doctest::Approx(0.5));
  const std::vector<double> many = {1e-4, 3.0};
  CHECK(labels_of(mil::wide_axis(many)) ==
        std::vector<std::string>{"0.0001", "0.001", "0.01", "0.1", "1"});
  const std::vector<double> with_zero = {0.0, 100.0};
  CHECK(mil::wide_axis(with_zero).scale == mil::AxisScale::linear);
}

TEST_CASE("figures: ticks of epochs are whole numbers") {
  CHECK(labels_of(mil::integer_axis(1, 1)) == std::vector<std::string>{"1"});
  CHECK(labels_of(mil::integer_axis(1, 4)) == std::vector<std::string>{"1", "2", "3", "4"});
  CHECK(labels_of(mil::integer_axis(1, 20)) ==
        std::vector<std::string>{"2", "4", "6", "8", "10", "12", "14", "16", "18", "20"});
  CHECK(labels_of(mil::integer_axis(1, 200)) ==
        std::vector<std::string>{"50", "100", "150", "200"});
}

TEST_CASE("figures: curves are a PNG file of 200 dots per inch, the same bytes each time") {
  const mil::TrainingCurves curves = three_epochs();
  const Bytes bytes = mil::render_curves(curves);
  const Bytes signature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  REQUIRE(bytes.size() > signature.size());
  CHECK(std::equal(signature.begin(), signature.end(), bytes.begin()));
  const Picture picture(bytes);
  CHECK(picture.width() == 1478);  // 532 points
  CHECK(picture.pixel(0, 0) == kWhiteRgb);
  CHECK(picture.count(kBlueRgb) > 500);
  CHECK(picture.count(kVermilionRgb) > 500);
  CHECK(bytes == mil::render_curves(curves));
}

TEST_CASE("figures: a value that is not finite leaves a gap in its curve") {
  mil::TrainingCurves curves = three_epochs();
  curves.val_loss = {};  // would hide the training line where the two cross
  const int below_legend = 110;
  CHECK(Picture(mil::render_curves(curves)).column_runs(kBlueRgb, below_legend) == 1);
  curves.loss[1] = kNaN;
  CHECK(Picture(mil::render_curves(curves)).column_runs(kBlueRgb, below_legend) == 2);
  curves.loss = {kNaN, INFINITY, kNaN};
  CHECK(Picture(mil::render_curves(curves)).column_runs(kBlueRgb, below_legend) == 0);
}

TEST_CASE("figures: the best and the stopping epoch are marked in both panels") {
  mil::TrainingCurves curves = three_epochs();
  const Picture plain(mil::render_curves(curves));
  curves.best_epoch = 2;
  const Picture best(mil::render_curves(curves));
  curves.stopped_epoch = 3;
  const Picture stopped(mil::render_curves(curves));
  // Each mark takes a line of 13 points for its label.
  CHECK(best.height() - plain.height() == 36);
  CHECK(stopped.height() - best.height() == 36);
  // Epoch 2 of 1..3 stands in the middle of a panel: 12 + 46 + 198 / 2 points from the left, and
  // 264 further in the second one.
  for (const double x : {157.0, 421.0}) {
    const auto column = static_cast<int>(x * mil::kPixelsPerPoint);
    const auto dark = [&](const Picture& picture) {
      int found = 0;
      for (int y = 150; y < picture.height() - 110; ++y) {
        found += (picture.pixel(column, y) & 0xFF) < 0x60 ? 1 : 0;
      }
      return found;
    };
    CHECK(dark(best) > 100);
    CHECK(dark(plain) < 20);
  }
}

TEST_CASE("figures: curves without validation, of one epoch, or of none") {
  mil::TrainingCurves curves{.title = "One", .epochs = {1}, .loss = {0.5}, .accuracy = {0.9}};
  const Picture one(mil::render_curves(curves));
  CHECK(one.count(kBlueRgb) > 100);
  CHECK(one.count(kVermilionRgb) == 0);
  curves.accuracy = {};
  CHECK(Picture(mil::render_curves(curves)).width() == 745);  // a single panel
  const Picture none(mil::render_curves({.title = "None"}));
  CHECK(none.count(kWhiteRgb) < none.width() * none.height());
  CHECK(none.height() < 200);
}

TEST_CASE("figures: inconsistent curves are refused") {
  const auto refusal = [](const mil::TrainingCurves& curves) {
    return message_of<milgrad::ValueError>([&] { mil::render_curves(curves); });
  };
  mil::TrainingCurves curves = three_epochs();
  curves.val_loss.pop_back();
  CHECK(refusal(curves) ==
        "[render_curves] 2 values of val_loss for 3 epochs; expected one per epoch");
  curves = three_epochs();
  curves.epochs = {1, 2, 2};
  CHECK(refusal(curves) == "[render_curves] epoch 2 follows epoch 2; expected increasing epochs");
  curves = three_epochs();
  curves.best_epoch = 4;
  CHECK(refusal(curves) == "[render_curves] best epoch 4; expected one of 1 to 3");
  curves.best_epoch = 3;
  curves.stopped_epoch = 0;
  CHECK(refusal(curves) == "[render_curves] stopped epoch 0; expected one of 1 to 3");
}

TEST_CASE("figures: each pixel of an instance is drawn at its place") {
  const mil::BagFigure figure{.title = "Bags", .bags = {bag_of(3), bag_of(2)}};
  const mil::BagLayout layout = mil::layout_bags(figure);
  const Picture picture(mil::render_bags(figure));
  CHECK(picture.width() == std::ceil(layout.width * mil::kPixelsPerPoint));
  CHECK(picture.height() == std::ceil(layout.height * mil::kPixelsPerPoint));
  REQUIRE(layout.tiles.size() == 2);
  REQUIRE(layout.tiles[0].size() == 3);
  REQUIRE(layout.tiles[1].size() == 2);
  const mil::GreyImage image = ramp();
  for (const mil::Tile& tile : {layout.tiles[0][2], layout.tiles[1][1]}) {
    // 92 points are 255 pixels: 9 for each of 28, the rest is margin.
    const double pixel = 9.0 / mil::kPixelsPerPoint;
    const double margin = (tile.box.width - 28.0 * pixel) / 2.0;
    int wrong = 0;
    for (int row = 0; row < 28; ++row) {
      for (int column = 0; column < 28; ++column) {
        const std::uint32_t seen = picture.at(tile.box.x + margin + (column + 0.5) * pixel,
                                              tile.box.y + margin + (row + 0.5) * pixel);
        const auto grey = static_cast<std::uint32_t>(
            std::lround(image.values[static_cast<std::size_t>(row * 28 + column)] * 255.0f));
        wrong += seen == grey * 0x010101u ? 0 : 1;
      }
    }
    CHECK(wrong == 0);
  }
  CHECK(picture.count(kOrangeRgb) == 0);
  CHECK(mil::render_bags(figure) == mil::render_bags(figure));
}

TEST_CASE("figures: all pixels of an enlarged instance are sharp and of one size") {
  mil::PicturedBag bag = bag_of(1);
  for (int i = 0; i < 784; ++i) {
    bag.images[0].values[static_cast<std::size_t>(i)] = static_cast<float>((i + i / 28) % 2);
  }
  const mil::BagFigure figure{.title = "Bags", .bags = {bag}};
  const Picture picture(mil::render_bags(figure));
  const mil::Rectangle box = mil::layout_bags(figure).tiles[0][0].box;
  // The chessboard's pixels 2 to 27 of a row; the first and the last touch the thin outline.
  const auto row = static_cast<int>((box.y + box.height / 3.0) * mil::kPixelsPerPoint);
  auto x = static_cast<int>((box.x + 4.0) * mil::kPixelsPerPoint);
  while (picture.pixel(x, row) == picture.pixel(x - 1, row)) ++x;
  for (int square = 2; square < 28; ++square) {
    const std::uint32_t colour = picture.pixel(x, row);
    CHECK((colour == 0x000000 || colour == kWhiteRgb));
    int width = 0;
    for (; picture.pixel(x, row) == colour; ++x) ++width;
    CHECK(width == 9);
  }
}

TEST_CASE("figures: the instance of highest attention is framed, the first of equals") {
  const auto framed = [](const std::vector<double>& attention) {
    const mil::BagFigure figure{.title = "Bags", .bags = {bag_of(3, attention)}};
    const Picture picture(mil::render_bags(figure));
    std::vector<std::size_t> instances;
    const mil::BagLayout layout = mil::layout_bags(figure);
    for (const mil::Tile& tile : layout.tiles[0]) {
      const double middle = tile.box.y + tile.box.height / 2.0;
      if (picture.at(tile.box.x - 0.8, middle) == kOrangeRgb) instances.push_back(tile.instance);
    }
    return instances;
  };
  CHECK(framed({0.1, 0.2, 0.7}) == std::vector<std::size_t>{2});
  CHECK(framed({0.999, 0.001, 0.0}) == std::vector<std::size_t>{0});
  CHECK(framed({0.2, 0.4, 0.4}) == std::vector<std::size_t>{1});
  CHECK(framed({}).empty());
}

TEST_CASE("figures: the weights stand above their images") {
  const mil::BagFigure first{.title = "Bags", .bags = {bag_of(3, {0.2, 0.3, 0.5})}};
  mil::BagFigure second = first;
  second.bags[0].attention = {0.2, 0.25, 0.55};
  const Picture before(mil::render_bags(first));
  const Picture after(mil::render_bags(second));
  REQUIRE(before.height() == after.height());
  const mil::BagLayout layout = mil::layout_bags(first);
  for (const mil::Tile& tile : layout.tiles[0]) {
    int different = 0;
    for (double y = tile.box.y - 13.0; y < tile.box.y - 3.0; y += 0.3) {
      for (double x = tile.box.x; x < tile.box.x + tile.box.width; x += 0.3) {
        different += before.at(x, y) != after.at(x, y) ? 1 : 0;
      }
    }
    CAPTURE(tile.instance);
    CHECK((different > 0) == (tile.instance > 0));
  }
}

TEST_CASE("figures: a wrong prediction is marked, a right one is not") {
  mil::BagFigure figure{.title = "Bags", .bags = {bag_of(3, {0.2, 0.3, 0.5})}};
  CHECK(Picture(mil::render_bags(figure)).count(kVermilionRgb) == 0);
  figure.bags[0].predicted_class = "positive";
  CHECK(Picture(mil::render_bags(figure)).count(kVermilionRgb) == 0);
  figure.bags[0].predicted_class = "negative";
  CHECK(Picture(mil::render_bags(figure)).count(kVermilionRgb) > 50);
}

TEST_CASE("figures: a bag takes rows of 8 images, and shows 32 instances at most") {
  mil::BagFigure figure{.title = "Bags", .bags = {bag_of(12)}};
  const std::vector<mil::Tile> twelve = mil::layout_bags(figure).tiles[0];
  REQUIRE(twelve.size() == 12);
  CHECK(twelve[7].box.y == twelve[0].box.y);
  CHECK(twelve[8].box.x == twelve[0].box.x);
  CHECK(twelve[8].box.y > twelve[0].box.y + twelve[0].box.height);

  std::vector<double> attention(40, 0.0);
  for (std::size_t i = 4; i < 36; ++i) attention[i] = 1.0 / 32.0;
  figure.bags = {bag_of(40, attention)};
  const std::vector<mil::Tile> top = mil::layout_bags(figure).tiles[0];
  REQUIRE(top.size() == 32);
  CHECK(top.front().instance == 4);
  CHECK(top.back().instance == 35);
  figure.bags = {bag_of(40)};
  CHECK(mil::layout_bags(figure).tiles[0].back().instance == 31);
}

TEST_CASE("figures: images of any size keep their proportions inside their tile") {
  mil::PicturedBag bag = bag_of(0);
  bag.images = {{.rows = 1, .columns = 1, .values = {0.0f}},
                {.rows = 40, .columns = 600, .values = std::vector<float>(24000, 0.0f)}};
  const mil::BagFigure figure{.title = "Bags", .bags = {bag}};
  const Picture picture(mil::render_bags(figure));
  const std::vector<mil::Tile> tiles = mil::layout_bags(figure).tiles[0];
  const auto at = [&](const mil::Tile& tile, double x, double y) {
    return picture.at(tile.box.x + x * tile.box.width, tile.box.y + y * tile.box.height);
  };
  CHECK(at(tiles[0], 0.02, 0.02) == 0x000000);
  CHECK(at(tiles[0], 0.98, 0.98) == 0x000000);
  CHECK(at(tiles[1], 0.02, 0.5) == 0x000000);
  CHECK(at(tiles[1], 0.98, 0.5) == 0x000000);
  CHECK(at(tiles[1], 0.5, 0.4) == kWhiteRgb);
  CHECK(at(tiles[1], 0.5, 0.6) == kWhiteRgb);
}

TEST_CASE("figures: without a bag the figure says so in words") {
  const auto render = [](const std::string& message) {
    return mil::render_bags({.title = "Bags", .empty_message = message});
  };
  const Bytes positive = render("No bag was predicted positive.");
  CHECK(Picture(positive).height() < 200);
  CHECK(positive != render("No bag was predicted negative."));
  CHECK(positive != render(""));
}

TEST_CASE("figures: inconsistent bags are refused") {
  const auto refusal = [](const mil::PicturedBag& bag) {
    return message_of<milgrad::ValueError>(
        [&] { mil::render_bags({.title = "Bags", .bags = {bag}}); });
  };
  CHECK(refusal(bag_of(3, {0.5, 0.5})) ==
        "[render_bags] bag 12 has 2 attention weights for 3 images; expected one weight per image");
  CHECK(refusal(bag_of(2, {0.5, kNaN})) ==
        "[render_bags] bag 12: attention weight 2 is nan; expected a finite number");
  CHECK(refusal(bag_of(0)) == "[render_bags] bag 12 has no images; expected one per instance");
  mil::PicturedBag bag = bag_of(2);
  bag.images[1].rows = 27;
  CHECK(refusal(bag) ==
        "[render_bags] bag 12: image 2 has 784 values; expected rows x columns = 27 x 28 of them");
  bag = bag_of(2);
  bag.images[0].values[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(refusal(bag) ==
        "[render_bags] bag 12: image 1 holds nan; expected values from 0 (black) to 1 (white)");
  const std::vector<std::uint8_t> bytes(6);
  CHECK(message_of<milgrad::ShapeError>([&] { mil::grey_image(bytes, 2, 2); }) ==
        "[grey_image] 6 bytes; expected 4 for shape (2, 2)");
}

TEST_CASE("figures: a page beyond cairo's limit is refused before it is drawn") {
  const mil::BagFigure figure{.title = "Bags",
                              .bags = std::vector<mil::PicturedBag>(400, bag_of(1))};
  CHECK(message_of<milgrad::ValueError>([&] { mil::render_bags(figure); }) ==
        "[figure] 995 x 122314 pixels; expected 1 to 32767 a side");
}

TEST_CASE("figures: text that is not UTF-8 is an error") {
  CHECK(message_of<milgrad::Error>([] { mil::render_curves({.title = "\xff\xfe"}); }) ==
        "[figure] cairo failed: input string not valid UTF-8");
}

TEST_CASE("figures: the bags to plot are the first of a class, in order") {
  const std::vector<int> classes = {0, 1, 1, 0, 1, 1};
  CHECK(mil::first_of_class(classes, 1, 3) == std::vector<std::size_t>{1, 2, 4});
  CHECK(mil::first_of_class(classes, 0, 3) == std::vector<std::size_t>{0, 3});
  CHECK(mil::first_of_class(classes, 2, 3).empty());
}
