// Finding, describing and loading trained models.
#include "examples/mil/trained.h"

#include "examples/mil/example_model.h"
#include "examples/mil/option_table.h"
#include "examples/mil/recall.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

namespace fs = std::filesystem;

namespace {

constexpr const char* kImageShape = "image_shape";

}  // namespace

std::string weights_name(std::int64_t member, std::int64_t members) {
  return members == 1 ? "best.weights.h5" : fmt::format("member_{}.weights.h5", member);
}

std::vector<fs::path> find_weights(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  if (fs::exists(path / weights_name(0, 1))) return {path / weights_name(0, 1)};
  std::vector<fs::path> found;
  while (fs::exists(path / weights_name(static_cast<std::int64_t>(found.size()), 2)))
    found.push_back(path / weights_name(static_cast<std::int64_t>(found.size()), 2));
  if (found.empty())
    throw NotFoundError(path.string(),
                        "no trained model in this folder; expected " + weights_name(0, 1) + " or " +
                            weights_name(0, 2),
                        "train one with: mil train --out " + path.string());
  return found;
}

nlohmann::json saved_configuration(const fs::path& weights) {
  const auto attributes = nn::read_root_attributes(weights);
  const auto found = attributes.find(kConfigurationAttribute);
  const auto saved = found == attributes.end()
                         ? nlohmann::json(nlohmann::json::value_t::discarded)
                         : nlohmann::json::parse(found->second, nullptr, false);
  if (!saved.is_object())
    throw FormatError({.path = weights.string()},
                      fmt::format("root attribute {}; expected the configuration of the training "
                                  "run as JSON, found {}",
                                  kConfigurationAttribute,
                                  found == attributes.end() ? "no such attribute" : "other text"),
                      "use a weights file that mil train wrote");
  return saved;
}

nlohmann::json describe_run(const TrainOptions& options, std::int64_t rows, std::int64_t columns) {
  nlohmann::json description = configuration(options);
  description[kImageShape] = {rows, columns};
  return description;
}

NetworkShape saved_network(const fs::path& weights) {
  const nlohmann::json saved = saved_configuration(weights);
  Command command = PlotOptions{};
  recall(command, saved, weights.string());
  const auto& options = std::get<PlotOptions>(command);
  const auto image = saved.find(kImageShape);
  if (image == saved.end() || !image->is_array() || image->size() != 2 ||
      !(*image)[0].is_number_unsigned() || !(*image)[1].is_number_unsigned())
    throw FormatError({.path = weights.string()},
                      fmt::format("bad saved value for {}; expected [rows, columns]", kImageShape));
  return {.model = options.model,
          .bag_size = options.bags.bag_size,
          .rows = (*image)[0].get<std::int64_t>(),
          .columns = (*image)[1].get<std::int64_t>()};
}

nn::Ensemble load_members(const std::vector<fs::path>& weights, const NetworkShape& shape) {
  const auto load = [&](int member) {
    nn::Model network = make_model(shape.model, shape.bag_size, {shape.rows, shape.columns});
    network.compile({.loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
    network.load_weights(weights[static_cast<std::size_t>(member)]);
    return network;
  };
  return nn::Ensemble(static_cast<int>(weights.size()), load);
}

}  // namespace mil
