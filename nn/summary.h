// Model summaries: Keras's table of layers, shapes and parameters.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace milgrad::nn {

class Model;

struct SummaryOptions {
  /// Characters per line; 0: 88 (a chain of layers) or 108 (a graph), but at most four less than
  /// the terminal has.
  int line_length = 0;
  /// Gets the whole text; by default it goes to standard output, coloured on a terminal only.
  std::function<void(const std::string&)> print = {};
  /// Adds a column that tells which layers are trained.
  bool show_trainable = false;
};

/// The text of the summary, with ANSI colours if asked for. Throws ValueError for a line length
/// that leaves a column less than four characters.
std::string summary_text(const Model& model, const SummaryOptions& options, bool colour);

}  // namespace milgrad::nn
