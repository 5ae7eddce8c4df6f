// From bags and predictions to figures.
#include "examples/mil/pictures.h"

#include "examples/mil/figures/bags.h"
#include "nn/io/file.h"

#include <fmt/format.h>

namespace mil {
namespace {

constexpr const char* kClassNames[] = {"negative", "positive"};

PicturedBag pictured(const Bags& bags, std::size_t number) {
  PicturedBag result{.number = number};
  const auto pixels = static_cast<std::size_t>(bags.rows * bags.columns);
  for (const milgrad::Tensor& instances : bags.instances) {
    const auto values = instances.data<float>().subspan(number * pixels, pixels);
    result.images.push_back({.rows = static_cast<std::size_t>(bags.rows),
                             .columns = static_cast<std::size_t>(bags.columns),
                             .values = {values.begin(), values.end()}});
  }
  if (!bags.labels.empty()) result.true_class = kClassNames[bags.labels[number]];
  return result;
}

void announce(Console& console, int wanted, const std::vector<std::size_t>& numbers) {
  console.print(fmt::format("The bag class label is {}", kClassNames[wanted]));
  for (std::size_t number : numbers) console.print(fmt::format("Bag number: {}", number));
}

void write(const BagFigure& figure, const std::filesystem::path& path) {
  milgrad::io::write_file(path, render_bags(figure));
}

}  // namespace

void draw_bags(const Bags& bags, std::int64_t plot_size, const std::filesystem::path& folder,
               Console& console) {
  for (int wanted : {1, 0}) {
    const auto numbers = first_of_class(bags.labels, wanted, static_cast<std::size_t>(plot_size));
    announce(console, wanted, numbers);
    const std::string name = kClassNames[wanted];
    BagFigure figure{.title = fmt::format("Validation bags that are {}", name),
                     .empty_message = fmt::format("No validation bag is {}.", name)};
    for (std::size_t number : numbers) figure.bags.push_back(pictured(bags, number));
    write(figure, folder / fmt::format("bags_{}.png", name));
  }
}

void draw_attention(const Bags& bags, const Predictions& predictions, std::int64_t plot_size,
                    const std::filesystem::path& folder, Console& console) {
  for (int wanted : {1, 0}) {
    const auto numbers =
        first_of_class(predictions.classes, wanted, static_cast<std::size_t>(plot_size));
    announce(console, wanted, numbers);
    const std::string name = kClassNames[wanted];
    BagFigure figure{.title = fmt::format("Bags predicted {}, with attention weights", name),
                     .empty_message = fmt::format("No bag was predicted {}.", name)};
    for (std::size_t number : numbers) {
      figure.bags.push_back(pictured(bags, number));
      figure.bags.back().attention = predictions.attention[number];
      figure.bags.back().predicted_class = kClassNames[predictions.classes[number]];
    }
    write(figure, folder / fmt::format("attention_{}.png", name));
  }
}

}  // namespace mil
