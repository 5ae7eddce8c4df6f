// What a training says at its end: the result lines, the attention pictures and metrics.json.
#pragma once

#include "examples/mil/bags.h"
#include "examples/mil/console.h"
#include "examples/mil/options.h"
#include "nn/ensemble.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mil {

/// How the training of one member went; epochs count from 1.
struct MemberRecord {
  milgrad::nn::History history;
  std::optional<int> stopped_epoch;  ///< behind which early stopping ended the training
  std::optional<int> best_epoch;     ///< whose weights were saved
  std::optional<double> best_val_loss;
  std::filesystem::path weights;
};

/// Everything that the report is made of.
struct RunRecord {
  TrainOptions options;
  RunBags bags = {};
  std::map<std::string, std::string> sha256 = {};  ///< of the data files
  std::vector<MemberRecord> members = {};          ///< of the models that report() gets
  bool interrupted = false;
  double fit_seconds = 0;
};

/// Prints the figures, draws the attention pictures into the run's folder, and returns the content
/// of metrics.json but for "seconds.total". Accuracies are fractions; what is not known is null.
nlohmann::json report_run(const RunRecord& run, const milgrad::nn::Ensemble& members,
                          Console& console);

/// Prints what early stopping and the checkpoint decided; `who` begins the lines ("Member 1: ").
void print_decisions(const RunRecord& run, const MemberRecord& member, const std::string& who,
                     Console& console);

}  // namespace mil
