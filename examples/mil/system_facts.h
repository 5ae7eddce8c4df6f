// What a run stood on: version, processor, libraries. Shown by `mil info`, recorded in
// metrics.json.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mil {

struct BackendFact {
  std::string name;
  bool available = false;
  std::string reason;  ///< why not, or the device's name
};

struct SystemFacts {
  std::string version;
  std::string compiler;
  std::vector<BackendFact> backends;
  std::string cpu_model;
  std::vector<std::string> cpu_features;  ///< of those that matter here
  int processors = 0;                     ///< that this process may use
  std::string simd_target;                ///< the one Highway chooses on this machine
  std::string openblas_version;
  std::string openblas_core;
  std::string openblas_core_variable;  ///< OPENBLAS_CORETYPE, "" if unset
  std::string hdf5_version;
};

SystemFacts system_facts();

nlohmann::json to_json(const SystemFacts& facts);

/// What slows this machine down without need, one sentence each.
std::vector<std::string> warnings(const SystemFacts& facts);

}  // namespace mil
