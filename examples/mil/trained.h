// Trained models on disk: a run's folder or weights files, each holding its own configuration.
#pragma once

#include "examples/mil/console.h"
#include "examples/mil/options.h"
#include "nn/ensemble.h"

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mil {

/// The root attribute of a weights file that holds the run's configuration as JSON.
inline constexpr const char* kConfigurationAttribute = "mil_configuration";

/// "best.weights.h5", or "member_<i>.weights.h5" where a run has several members.
std::string weights_name(std::int64_t member, std::int64_t members);

/// What a weights file says of its training run: configuration() and the images' size.
nlohmann::json describe_run(const TrainOptions& options, std::int64_t rows, std::int64_t columns);

/// What a network was built from.
struct NetworkShape {
  ModelOptions model;
  std::int64_t bag_size = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// A trained model on disk: the weights of its members and what they say of themselves.
struct SavedRun {
  std::vector<std::filesystem::path> weights;
  nlohmann::json configuration;  ///< describe_run() of the training
  NetworkShape network;
};

/// What the path means: a weights file, or the newest run of a folder. Warns where members are
/// missing. Throws NotFoundError that names what was looked for, and FormatError for a file that
/// mil did not write and for members of several runs.
SavedRun open_run(const std::filesystem::path& path, Console& console);

/// The models of the run. Warns where a damaged file was replaced by its older generation. Throws
/// FormatError for weights that are not those of the network.
milgrad::nn::Ensemble load_members(const SavedRun& run, Console& console);

/// Takes over a weights file, saying through the console what load_weights() reports.
void load_weights(milgrad::nn::Model& model, const std::filesystem::path& weights,
                  Console& console);

}  // namespace mil
