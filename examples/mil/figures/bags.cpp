// Layout and drawing of the figures of bags.
#include "examples/mil/figures/bags.h"

#include "tensor/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace mil {

namespace {

constexpr double kPageMargin = 14.0;
constexpr double kLabelWidth = 108.0;
constexpr double kContentWidth = 490.0;  // label and images of the widest figure: 7.2 inches
constexpr double kLeastContentWidth = 330.0;
constexpr double kTileGap = 8.0;
constexpr double kLargestTile = 92.0;
constexpr double kTileTitle = 13.0;
constexpr double kBagGap = 18.0;
constexpr double kLineHeight = 13.0;
constexpr double kFrameWidth = 2.4;
constexpr std::size_t kMostColumns = 8;
constexpr std::size_t kMostInstances = 32;

const TextStyle kTitleStyle{.size = 10.0, .weight = Weight::bold};
const TextStyle kBoldStyle{.size = 9.0, .weight = Weight::bold};
const TextStyle kSmallStyle{.size = 8.0};
const TextStyle kCaptionStyle{.size = 8.0, .colour = kGrey};
const Stroke kFrame{.width = kFrameWidth, .colour = kOrange};

void check_image(const PicturedBag& bag, std::size_t instance) {
  const GreyImage& image = bag.images[instance];
  if (image.values.empty() || image.values.size() != image.rows * image.columns) {
    throw milgrad::ShapeError(fmt::format(
        "[render_bags] bag {}: image {} has {} values; expected rows x columns = {} x {} of them",
        bag.number, instance + 1, image.values.size(), image.rows, image.columns));
  }
  for (const float value : image.values) {
    if (std::isfinite(value)) continue;
    throw milgrad::ValueError(fmt::format(
        "[render_bags] bag {}: image {} holds {}; expected values from 0 (black) to 1 (white)",
        bag.number, instance + 1, value));
  }
}

void check_bag(const PicturedBag& bag) {
  if (bag.images.empty()) {
    throw milgrad::ValueError(
        fmt::format("[render_bags] bag {} has no images; expected one per instance", bag.number));
  }
  if (!bag.attention.empty() && bag.attention.size() != bag.images.size()) {
    throw milgrad::ValueError(
        fmt::format("[render_bags] bag {} has {} attention weights for {} images; expected one "
                    "weight per image",
                    bag.number, bag.attention.size(), bag.images.size()));
  }
  for (std::size_t i = 0; i < bag.attention.size(); ++i) {
    if (std::isfinite(bag.attention[i])) continue;
    throw milgrad::ValueError(
        fmt::format("[render_bags] bag {}: attention weight {} is {}; expected a finite number",
                    bag.number, i + 1, bag.attention[i]));
  }
  for (std::size_t i = 0; i < bag.images.size(); ++i) check_image(bag, i);
}

/// The instances to draw, in the bag's order.
std::vector<std::size_t> shown_instances(const PicturedBag& bag) {
  std::vector<std::size_t> order(bag.images.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (order.size() <= kMostInstances) return order;
  if (!bag.attention.empty()) {
    std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
      return bag.attention[left] > bag.attention[right];
    });
  }
  order.resize(kMostInstances);
  std::sort(order.begin(), order.end());
  return order;
}

bool has_attention(const BagFigure& figure) {
  return std::any_of(figure.bags.begin(), figure.bags.end(),
                     [](const PicturedBag& bag) { return !bag.attention.empty(); });
}

bool is_wrong(const PicturedBag& bag) {
  return bag.predicted_class && *bag.predicted_class != bag.true_class;
}

std::vector<std::string> label_lines(const PicturedBag& bag, std::size_t shown) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& text) {
    for (auto& line : wrap_text(text, kLabelWidth - 12.0, kSmallStyle)) {
      lines.push_back(std::move(line));
    }
  };
  if (bag.predicted_class) add("predicted: " + *bag.predicted_class);
  add("true: " + bag.true_class);
  if (shown < bag.images.size()) {
    add(fmt::format("{} {} of {} instances", bag.attention.empty() ? "first" : "top", shown,
                    bag.images.size()));
  }
  return lines;
}

double label_height(const PicturedBag& bag, std::size_t shown) {
  const std::size_t lines = 1 + label_lines(bag, shown).size() + (is_wrong(bag) ? 1 : 0);
  return static_cast<double>(lines) * kLineHeight;
}

constexpr const char* kCaption =
    "Above each image: its attention weight; the weights of a bag sum to 1.";
constexpr const char* kFrameCaption = "highest attention in the bag";

double caption_top(const BagLayout& layout, std::size_t caption_lines) {
  return layout.height - kPageMargin - static_cast<double>(caption_lines) * kLineHeight;
}

std::vector<std::string> caption_lines(const BagFigure& figure, double width) {
  if (!has_attention(figure)) return {};
  return wrap_text(kCaption, width - 2.0 * kPageMargin, kCaptionStyle);
}

std::vector<std::string> title_lines(const BagFigure& figure, double width) {
  return wrap_text(figure.title, width - 2.0 * kPageMargin, kTitleStyle);
}

/// Rows of images from `top` on; each row has `tile_title` points above it for the weights.
std::vector<Tile> place_tiles(const PicturedBag& bag, double top, double tile, double tile_title) {
  std::vector<Tile> tiles;
  for (const std::size_t instance : shown_instances(bag)) {
    const auto row = static_cast<double>(tiles.size() / kMostColumns);
    const auto column = static_cast<double>(tiles.size() % kMostColumns);
    tiles.push_back({instance,
                     {kPageMargin + kLabelWidth + column * (tile + kTileGap),
                      top + tile_title + row * (tile + tile_title + kTileGap), tile, tile}});
  }
  return tiles;
}

void paint_label(Canvas& canvas, const PicturedBag& bag, std::size_t shown, double baseline) {
  canvas.text({kPageMargin, baseline}, fmt::format("bag {}", bag.number), kBoldStyle);
  for (const auto& line : label_lines(bag, shown)) {
    baseline += kLineHeight;
    canvas.text({kPageMargin, baseline}, line, kSmallStyle);
  }
  if (!is_wrong(bag)) return;
  baseline += kLineHeight;
  const Stroke cross{.width = 1.6, .colour = kVermilion};
  const double size = 6.0;
  canvas.line({kPageMargin, baseline - size}, {kPageMargin + size, baseline}, cross);
  canvas.line({kPageMargin, baseline}, {kPageMargin + size, baseline - size}, cross);
  TextStyle style = kSmallStyle;
  style.weight = Weight::bold;
  style.colour = kVermilion;
  canvas.text({kPageMargin + size + 4.0, baseline}, "wrong", style);
}

void paint_tile(Canvas& canvas, const PicturedBag& bag, const Tile& tile, std::size_t key) {
  const Rectangle area = canvas.image(bag.images[tile.instance], tile.box);
  canvas.outline(area, {.width = 0.4, .colour = kGrey});
  if (bag.attention.empty()) return;
  TextStyle style = kSmallStyle;
  style.align = Align::centre;
  if (tile.instance == key) {
    style.weight = Weight::bold;
    const double half = kFrameWidth / 2.0;
    canvas.outline(
        {area.x - half, area.y - half, area.width + kFrameWidth, area.height + kFrameWidth},
        kFrame);
  }
  canvas.text({area.x + area.width / 2.0, area.y - 4.5},
              fmt::format("{:.2f}", bag.attention[tile.instance]), style);
}

void paint_caption(Canvas& canvas, const BagFigure& figure, const BagLayout& layout) {
  const auto lines = caption_lines(figure, layout.width);
  if (lines.empty()) return;
  double baseline = caption_top(layout, lines.size() + 1) + 9.0;
  canvas.outline({kPageMargin + 0.8, baseline - 7.0, 8.0, 8.0}, {.width = 1.6, .colour = kOrange});
  canvas.text({kPageMargin + 14.0, baseline}, kFrameCaption, kCaptionStyle);
  for (const auto& line : lines) {
    baseline += kLineHeight;
    canvas.text({kPageMargin, baseline}, line, kCaptionStyle);
  }
}

}  // namespace

std::vector<std::size_t> first_of_class(std::span<const int> classes, int wanted,
                                        std::size_t count) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < classes.size() && positions.size() < count; ++i) {
    if (classes[i] == wanted) positions.push_back(i);
  }
  return positions;
}

BagLayout layout_bags(const BagFigure& figure) {
  std::size_t columns = 1;
  for (const PicturedBag& bag : figure.bags) {
    check_bag(bag);
    columns = std::max(columns, std::min(bag.images.size(), kMostColumns));
  }
  const auto count = static_cast<double>(columns);
  const double tile =
      std::min(kLargestTile, (kContentWidth - kLabelWidth + kTileGap) / count - kTileGap);
  BagLayout layout;
  layout.width = 2.0 * kPageMargin +
                 std::max(kLeastContentWidth, kLabelWidth + count * (tile + kTileGap) - kTileGap);
  const auto titles = static_cast<double>(title_lines(figure, layout.width).size());
  const double tile_title = has_attention(figure) ? kTileTitle : 0.0;
  double top = kPageMargin + kLineHeight * titles + 10.0;
  for (const PicturedBag& bag : figure.bags) {
    std::vector<Tile> tiles = place_tiles(bag, top, tile, tile_title);
    const Rectangle& last = tiles.back().box;
    const double bottom =
        std::max(last.y + last.height, top + tile_title + label_height(bag, tiles.size()));
    layout.tops.push_back(top);
    layout.tiles.push_back(std::move(tiles));
    top = bottom + kBagGap;
  }
  layout.height = top - kBagGap + kPageMargin;
  const std::size_t captions = caption_lines(figure, layout.width).size();
  if (captions > 0) layout.height += 10.0 + kLineHeight * static_cast<double>(captions + 1);
  return layout;
}

std::vector<std::uint8_t> render_bags(const BagFigure& figure) {
  if (figure.bags.empty()) return render_message(figure.title, figure.empty_message);
  const BagLayout layout = layout_bags(figure);
  Canvas canvas(layout.width, layout.height);
  double baseline = kPageMargin + 9.0;
  for (const auto& line : title_lines(figure, layout.width)) {
    canvas.text({kPageMargin, baseline}, line, kTitleStyle);
    baseline += kLineHeight;
  }
  for (std::size_t i = 0; i < figure.bags.size(); ++i) {
    const PicturedBag& bag = figure.bags[i];
    if (i > 0) {
      const double y = layout.tops[i] - kBagGap / 2.0;
      canvas.line({kPageMargin, y}, {layout.width - kPageMargin, y}, {.colour = kLightGrey});
    }
    paint_label(canvas, bag, layout.tiles[i].size(), layout.tiles[i].front().box.y + 8.0);
    const auto largest = std::max_element(bag.attention.begin(), bag.attention.end());
    const auto key = static_cast<std::size_t>(largest - bag.attention.begin());
    for (const Tile& tile : layout.tiles[i]) paint_tile(canvas, bag, tile, key);
  }
  paint_caption(canvas, figure, layout);
  return canvas.png();
}

}  // namespace mil
