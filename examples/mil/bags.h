// Bags of digits: drawn from an image set as the Keras example draws them, or read from a folder.
#pragma once

#include "examples/mil/options.h"
#include "nn/data/mnist.h"
#include "tensor/tensor.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mil {

/// Bags of equally many images. A bag is positive (label 1) if one of its instances is.
struct Bags {
  std::int64_t bag_size = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  /// `bag_size` tensors [bags, rows, columns] of float32: instance i of every bag.
  milgrad::Tensors instances = {};
  /// One label per bag, 0 or 1; empty if they are not known.
  std::vector<int> labels = {};
  /// One flag per bag and instance, bag by bag: whether it shows the positive class; empty if that
  /// is not known.
  std::vector<bool> keys = {};

  std::int64_t count() const { return instances.empty() ? 0 : instances[0].size(0); }
  std::int64_t positives() const;
  /// The labels as a tensor, int64 [bags].
  milgrad::Tensor label_tensor() const;
};

/// Which digits bags may be drawn from, and how many bags.
struct DrawOptions {
  std::int64_t count = 0;
  std::int64_t bag_size = 0;
  std::int64_t positive_class = 0;
  std::uint64_t seed = 0;
};

/// Indices into an image set, bag by bag: `bag_size` different ones of `candidates` for each bag.
/// Throws ValueError if there are fewer candidates than a bag needs.
std::vector<std::int64_t> draw_indices(std::span<const std::int64_t> candidates,
                                       const DrawOptions& options);

/// The bags of these indices, pixels / 255.
Bags make_bags(const milgrad::nn::data::ImageSet& images, std::span<const std::int64_t> indices,
               const DrawOptions& options);

/// The three sets of a run: validation bags are used for selection, test bags for nothing but the
/// final figure; no digit of a validation bag is in a test bag.
struct RunBags {
  Bags train;
  Bags validation;
  Bags test;
};

/// Draws them as the example does, from seeds derived from `seed`. Throws ValueError "There is no
/// class X" for a class that the digits do not have.
RunBags draw_run_bags(const milgrad::nn::data::ImageDataset& digits, const BagOptions& options,
                      std::int64_t seed);

/// Bags of a folder with X.npy [instances, rows, columns] (bytes are divided by 255, numbers taken
/// as they are), offsets.npy and optionally y.npy; see dataset.h. Throws FormatError where a bag
/// has another size than `bag_size` or a label is neither 0 nor 1.
Bags read_bags(const std::string& folder, std::int64_t bag_size);

}  // namespace mil
