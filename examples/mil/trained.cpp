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

/// The member files of a folder, up to the first that is missing.
std::vector<fs::path> member_files(const fs::path& folder) {
  std::vector<fs::path> found;
  while (fs::exists(folder / weights_name(static_cast<std::int64_t>(found.size()), 2)))
    found.push_back(folder / weights_name(static_cast<std::int64_t>(found.size()), 2));
  return found;
}

/// The file itself, or those of a folder's newest run, in order.
std::vector<fs::path> find_weights(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  const fs::path single = path / weights_name(0, 1);
  std::vector<fs::path> members = member_files(path);
  if (members.empty() && !fs::exists(single))
    throw NotFoundError(path.string(),
                        "no trained model in this folder; expected " + weights_name(0, 1) + " or " +
                            weights_name(0, 2),
                        "train one with: mil train --out " + path.string());
  const bool only_single = members.empty();
  const bool only_members = !fs::exists(single);
  if (only_single ||
      (!only_members && fs::last_write_time(single) > fs::last_write_time(members[0])))
    return {single};
  return members;
}

/// The configuration saved in a weights file.
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

/// Drops what an older run with more members left behind; refuses what another run wrote.
void settle_members(SavedRun& run, const fs::path& folder, Console& console) {
  const auto planned = run.configuration.find("ensemble");
  if (planned == run.configuration.end() || !planned->is_number_unsigned()) return;
  const auto count = planned->get<std::size_t>();
  if (count < run.weights.size()) run.weights.resize(std::max<std::size_t>(1, count));
  for (std::size_t i = 1; i < run.weights.size(); ++i)
    if (saved_configuration(run.weights[i]) != run.configuration)
      throw FormatError({.path = run.weights[i].string()},
                        "of another training run than " + run.weights[0].filename().string() +
                            "; expected members of one run",
                        "name one of the files, or train again");
  if (run.weights.size() < count)
    console.warning(fmt::format("{} holds {} of the {} members that were to be trained",
                                folder.string(), run.weights.size(), count));
}

/// The network of a configuration.
NetworkShape network_of(const nlohmann::json& saved, const fs::path& weights) {
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

}  // namespace

std::string weights_name(std::int64_t member, std::int64_t members) {
  return members == 1 ? "best.weights.h5" : fmt::format("member_{}.weights.h5", member);
}

nlohmann::json describe_run(const TrainOptions& options, std::int64_t rows, std::int64_t columns) {
  nlohmann::json description = configuration(options);
  description[kImageShape] = {rows, columns};
  return description;
}

SavedRun open_run(const fs::path& path, Console& console) {
  SavedRun run{.weights = find_weights(path), .configuration = {}, .network = {}};
  run.configuration = saved_configuration(run.weights[0]);
  run.network = network_of(run.configuration, run.weights[0]);
  if (fs::is_directory(path)) settle_members(run, path, console);
  return run;
}

nn::Ensemble load_members(const SavedRun& run, Console& console) {
  const auto load = [&](int member) {
    const NetworkShape& shape = run.network;
    nn::Model network = make_model(shape.model, shape.bag_size, {shape.rows, shape.columns});
    // Before compile(): the state of the optimizer is not asked for.
    load_weights(network, run.weights[static_cast<std::size_t>(member)], console);
    network.compile({.loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
    return network;
  };
  return nn::Ensemble(static_cast<int>(run.weights.size()), load);
}

void load_weights(nn::Model& model, const fs::path& weights, Console& console) {
  try {
    const nn::LoadReport report = model.load_weights(weights);
    if (!report.note.empty()) console.warning(report.note);
    for (const std::string& what : report.skipped) console.warning(what);
  } catch (const ValueError& error) {
    // Its text begins with the path, as that of a FormatError does.
    const std::string text = error.what();
    throw FormatError(
        {.path = weights.string()}, text.substr(text.find(": ", weights.string().size()) + 2),
        "the file was changed, or its configuration is not that of its weights; train again");
  }
}

}  // namespace mil
