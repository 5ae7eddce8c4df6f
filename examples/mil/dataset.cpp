// Loading and checking data.
#include "examples/mil/dataset.h"

#include "nn/io/npy.h"
#include "tensor/error.h"

#include <cmath>
#include <filesystem>
#include <span>

#include <fmt/format.h>

namespace mil {
namespace {

using milgrad::FormatError;
using milgrad::io::Array;
using milgrad::io::ElementType;

template <class T>
std::vector<std::int64_t> widen(const Array& array) {
  const std::span<const T> values = milgrad::io::values_of<T>(array);
  return {values.begin(), values.end()};
}

std::vector<std::int64_t> read_integers(const std::string& path) {
  const Array array = milgrad::io::read_npy(path);
  if (array.dims.size() == 1 && array.type == ElementType::int64) return widen<std::int64_t>(array);
  if (array.dims.size() == 1 && array.type == ElementType::int32) return widen<std::int32_t>(array);
  throw FormatError(
      {path},
      fmt::format("not a list of whole numbers; expected int64 or int32 of shape (n,), found {} of "
                  "shape {}",
                  milgrad::io::element_name(array.type), milgrad::io::dims_text(array.dims)));
}

template <class T>
void require_finite(const Array& array, const std::string& path) {
  const std::span<const T> values = milgrad::io::values_of<T>(array);
  const std::size_t per_instance = values.size() / array.dims[0];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw FormatError({path}, fmt::format("instance {}, value {}; expected a finite number, found "
                                          "{}",
                                          i / per_instance, i % per_instance, values[i]));
  }
}

Array read_instances(const std::string& path) {
  Array array = milgrad::io::read_npy(path);
  const bool number = array.type == ElementType::float32 || array.type == ElementType::float64 ||
                      array.type == ElementType::uint8;
  if (!number || array.dims.size() < 2 || array.size() == 0) {
    throw FormatError({path}, fmt::format("not instances; expected float32, float64 or uint8 of "
                                          "shape (instances, features), found {} of shape {}",
                                          milgrad::io::element_name(array.type),
                                          milgrad::io::dims_text(array.dims)));
  }
  if (array.type == ElementType::float32) require_finite<float>(array, path);
  if (array.type == ElementType::float64) require_finite<double>(array, path);
  return array;
}

void check_offsets(const std::vector<std::int64_t>& offsets, std::size_t instances,
                   const std::string& path) {
  if (offsets.size() < 2) {
    throw FormatError(
        {path}, fmt::format("no bags; expected at least 2 offsets, found {}", offsets.size()));
  }
  if (offsets.front() != 0) {
    throw FormatError({path}, fmt::format("entry 0; expected 0, found {}", offsets.front()));
  }
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] > offsets[i - 1]) continue;
    throw FormatError({path}, fmt::format("entry {}; expected more than {}, as each bag holds an "
                                          "instance, found {}",
                                          i, offsets[i - 1], offsets[i]));
  }
  if (static_cast<std::uint64_t>(offsets.back()) != instances) {
    throw FormatError({path}, fmt::format("entry {}; expected {}, the instances of X.npy, found {}",
                                          offsets.size() - 1, instances, offsets.back()));
  }
}

}  // namespace

milgrad::nn::data::ImageDataset load_dataset(const DatasetOptions& options) {
  using milgrad::nn::data::Verify;
  const milgrad::nn::data::LoadOptions load{
      .directory = options.data_dir, .verify = options.verify ? Verify::published : Verify::none};
  return options.dataset == "mnist" ? milgrad::nn::data::load_mnist(load)
                                    : milgrad::nn::data::load_fashion_mnist(load);
}

BagFolder load_bags(const std::string& folder) {
  const std::filesystem::path base(folder);
  BagFolder bags{.instances = read_instances((base / "X.npy").string()),
                 .offsets = read_integers((base / "offsets.npy").string()),
                 .labels = std::nullopt};
  check_offsets(bags.offsets, bags.instances.dims[0], (base / "offsets.npy").string());
  const std::string labels = (base / "y.npy").string();
  if (std::filesystem::exists(labels)) {
    bags.labels = read_integers(labels);
    if (bags.labels->size() != bags.bags()) {
      throw FormatError({labels}, fmt::format("labels; expected {}, one for each bag, found {}",
                                              bags.bags(), bags.labels->size()));
    }
  }
  return bags;
}

}  // namespace mil
