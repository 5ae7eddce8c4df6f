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
  /// Whether the slots exist; before, only iteration and learning rate are there.
  virtual bool built() const = 0;
  /// Keras's order: iteration (int32, rank 0), learning_rate (absent under a schedule), slots.
  virtual std::vector<Variable> variables() const = 0;
};

struct SaveWeightsOptions {
  /// String attributes of the file's root group, such as a configuration as JSON.
  std::map<std::string, std::string> root_attributes = {};
  /// Keeps the file that is replaced as PATH.1.
  bool keep_previous = false;
};

struct LoadWeightsOptions {
  /// Leaves layers whose weights differ in number or shape as they are, and says so in the report.
  bool skip_mismatch = false;
};

struct LoadReport {
  /// What was not taken over, one sentence each; empty: everything was.
  std::vector<std::string> skipped = {};
  /// Says so where the file was damaged and PATH.1 was read in its place; else empty.
  std::string note = {};
};

/// Writes layers/CLASS_NAME[_k]/vars/0.. for every layer (k counts the layers of a class within
/// the model, names of layers play no part) and, in a compiled model, optimizer/vars. Whatever
/// happens while it runs, the old file or the new one stands complete. Throws WriteError.
void save_weights(const Model& model, const std::filesystem::path& path,
                  const SaveWeightsOptions& options = {});

/// Reads such a file, Keras's or ours; where it is damaged, the older generation PATH.1. Nothing
/// is changed unless everything fits: throws NotFoundError or FormatError for the file, ValueError
/// or ShapeError (naming file, place, and both shapes) for weights of another architecture.
/// float32 and float64 convert into each other. The optimizer's state is taken over if its
/// variables agree in number and shape; otherwise the report says why not.
LoadReport load_weights(Model& model, const std::filesystem::path& path,
                        const LoadWeightsOptions& options = {});

/// The string attributes of the file's root group (of PATH.1 where the file is damaged), without
/// any model.
std::map<std::string, std::string> read_root_attributes(const std::filesystem::path& path);

}  // namespace milgrad::nn
