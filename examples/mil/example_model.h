// The network of the Keras example, with its constants as options.
#pragma once

#include "examples/mil/console.h"
#include "examples/mil/options.h"
#include "nn/model.h"

#include <cstdint>

namespace mil {

/// What an instance looks like: rows x columns grey values.
struct ImageShape {
  std::int64_t rows = 28;
  std::int64_t columns = 28;
};

/// `bag_size` inputs (N, rows, columns) -> class probabilities (N, 2): flatten, dense layers shared
/// by the instances, attention ("alpha"), the weighted instances concatenated, softmax.
/// 142,146 parameters with the example's constants.
milgrad::nn::Model make_model(const ModelOptions& options, std::int64_t bag_size,
                              const ImageShape& image);

/// The same inputs -> one attention weight (N, 1) per instance; shares all weights.
milgrad::nn::Model attention_model(const milgrad::nn::Model& model);

/// Prints Keras's table, as wide as Keras makes it on a terminal of that width; in a file or pipe,
/// which have no width, nothing is cut off.
void print_summary(const milgrad::nn::Model& model, Console& console);

}  // namespace mil
