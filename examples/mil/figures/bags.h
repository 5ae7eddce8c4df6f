// Figures of bags: one row per bag, one image per instance, with what the model made of them.
#pragma once

#include "examples/mil/figures/canvas.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mil {

/// A bag as a figure shows it.
struct PicturedBag {
  std::size_t number = 0;              ///< its place in the data set
  std::vector<GreyImage> images = {};  ///< one per instance
  std::vector<double> attention = {};  ///< one weight per instance; empty before training
  std::string true_class = {};         ///< a class's name, such as "positive"
  std::optional<std::string> predicted_class = {};
};

struct BagFigure {
  std::string title = {};
  std::string empty_message = {};  ///< said where there is no bag, "No bag was predicted positive."
  std::vector<PicturedBag> bags = {};
};

/// Where an instance is drawn, in points.
struct Tile {
  std::size_t instance;
  Rectangle box;
};

struct BagLayout {
  double width = 0.0;
  double height = 0.0;
  std::vector<double> tops;              ///< per bag
  std::vector<std::vector<Tile>> tiles;  ///< per bag, in the bag's order
};

/// The first `count` positions whose class is `wanted`, in order: the bags that the example plots.
std::vector<std::size_t> first_of_class(std::span<const int> classes, int wanted,
                                        std::size_t count);

/// Rows of at most 8 images, as many as a bag needs; of a bag with more than 32 instances the 32
/// of highest attention (the first 32 without attention). ValueError for an inconsistent bag.
BagLayout layout_bags(const BagFigure& figure);

/// The PNG file. Each image is titled with its attention weight to two digits, the instance of
/// highest attention (the first of equals) is framed, and a wrong prediction is crossed and named.
/// ValueError for an inconsistent bag or a page too large.
std::vector<std::uint8_t> render_bags(const BagFigure& figure);

}  // namespace mil
