// Trained models on disk: a run's folder or weights files, each holding its own configuration.
#pragma once

#include "examples/mil/options.h"
#include "nn/ensemble.h"

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mil {

/// The root attribute of a weights file that holds the run's configuration as JSON.
inline constexpr const char* kConfigurationAttribute = "mil_configuration";

/// "best.weights.h5", or "member_<i>.weights.h5" where a run has several members.
std::string weights_name(std::int64_t member, std::int64_t members);

/// The weights files that a path means: the file itself, or those of a run's folder, in order.
/// Throws NotFoundError that names what was looked for.
std::vector<std::filesystem::path> find_weights(const std::filesystem::path& path);

/// What a weights file says of its training run: configuration() and the images' size.
nlohmann::json describe_run(const TrainOptions& options, std::int64_t rows, std::int64_t columns);

/// The configuration saved in a weights file. Throws FormatError for a file that mil did not write.
nlohmann::json saved_configuration(const std::filesystem::path& weights);

/// What a network was built from.
struct NetworkShape {
  ModelOptions model;
  std::int64_t bag_size = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// The network of saved_configuration(weights).
NetworkShape saved_network(const std::filesystem::path& weights);

/// The models of these files, which are all of one shape. Throws FormatError for weights that do
/// not fit.
milgrad::nn::Ensemble load_members(const std::vector<std::filesystem::path>& weights,
                                   const NetworkShape& shape);

}  // namespace mil
