// The data that the options name: images to draw bags from, or a folder of bags.
#pragma once

#include "examples/mil/options.h"
#include "nn/data/mnist.h"
#include "nn/io/array.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mil {

/// The images of --dataset, from --data-dir or the usual place. Throws as the loaders of
/// nn/data/mnist.h do.
milgrad::nn::data::ImageDataset load_dataset(const DatasetOptions& options);

/// Bags of any sizes: bag i holds the instances offsets[i] to offsets[i + 1] (exclusive).
struct BagFolder {
  milgrad::io::Array instances;  ///< [instances, ...], float32, float64 or uint8
  std::vector<std::int64_t> offsets;
  std::optional<std::vector<std::int64_t>> labels;  ///< one for each bag

  std::size_t bags() const { return offsets.size() - 1; }
};

/// Reads X.npy, offsets.npy (int64 or int32, from 0 to the number of instances, each bag with at
/// least one) and, where it exists, y.npy (int64 or int32, one label for each bag). Throws
/// NotFoundError, and FormatError naming the file and the entry where a value is out of place, NaN
/// or infinite.
BagFolder load_bags(const std::string& folder);

}  // namespace mil
