// Weight files in Keras 3's layout (.weights.h5), with optimizer state and attributes of our own.
#pragma once

#include "tensor/variable.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace milgrad::nn {

class Model;

/// What the optimizer's group of a weights file holds; an optimizer implements it.
class OptimizerState {
 public:
  virtual ~OptimizerState() = default;
  /// "adam"
  virtual std::string name() const = 0;
  /// Keras's order: iteration (int32, rank 0), learning_rate (absent under a schedule), slots. Only
  /// the first two before the slots are built.
  virtual std::vector<Variable> variables() const = 0;
};

struct SaveWeightsOptions {
  /// String attributes of the file's root group, such as a configuration as JSON.
  std::map<std::string, std::string> root_attributes = {};
  /// Keeps the file that is replaced as PATH.1.
  bool keep_previous = false;
};

struct LoadWeightsOptions {
  /// Leaves weights whose shape or count differs as they are and says so in the report.
  bool skip_mismatch = false;
};

/// What a load did not take over, one sentence each; empty: everything was.
struct LoadReport {
  std::vector<std::string> skipped = {};
};

/// Writes layers/CLASS_NAME[_k]/vars/0.. for every layer (k counts the layers of a class within
/// the model, names of layers play no part) and, in a compiled model, optimizer/vars. Whatever
/// happens while it runs, the old file or the new one stands complete. Throws WriteError.
void save_weights(const Model& model, const std::filesystem::path& path,
                  const SaveWeightsOptions& options = {});

/// Reads such a file, Keras's or ours. Checks all counts, shapes and dtypes first and throws
/// FormatError (place and both shapes) before anything is changed; NotFoundError for a missing
/// file. float32 and float64 convert into each other. The optimizer's state is taken over if the
/// number of its variables and their shapes agree, otherwise the report says why not.
LoadReport load_weights(Model& model, const std::filesystem::path& path,
                        const LoadWeightsOptions& options = {});

/// The attributes of the file's root group, without any model.
std::map<std::string, std::string> read_root_attributes(const std::filesystem::path& path);

}  // namespace milgrad::nn
