// Drawing and reading of bags.
#include "examples/mil/bags.h"

#include "examples/mil/dataset.h"
#include "nn/io/array.h"
#include "tensor/random.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

namespace {

std::vector<std::int64_t> all_of(const nn::data::ImageSet& images) {
  std::vector<std::int64_t> indices(images.count);
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

/// Everything but what the bags hold.
std::vector<std::int64_t> without(const nn::data::ImageSet& images,
                                  std::span<const std::int64_t> used) {
  const std::unordered_set<std::int64_t> taken(used.begin(), used.end());
  std::vector<std::int64_t> rest;
  for (std::int64_t i : all_of(images))
    if (!taken.contains(i)) rest.push_back(i);
  return rest;
}

void require_class(const nn::data::ImageDataset& digits, std::int64_t wanted) {
  for (const auto* labels : {&digits.train.labels, &digits.test.labels})
    if (std::find(labels->begin(), labels->end(), wanted) == labels->end())
      throw ValueError(fmt::format("There is no class {}", wanted),
                       "choose --positive-class among the labels of the images");
}

/// Refuses counts that this machine could never hold, before the system ends the program for them.
void require_memory(const nn::data::ImageSet& images, const BagOptions& options) {
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const auto bags =
      static_cast<double>(options.train_bags + options.validation_bags + options.test_bags);
  const double needed = bags * static_cast<double>(options.bag_size) * sizeof(float) *
                        static_cast<double>(images.rows * images.columns);
  if (needed <= memory) return;
  throw ValueError(
      fmt::format("[bags] {:.0f} bags of {} images of {} x {} take {:.1f} GB; expected at most the "
                  "{:.1f} GB of this machine",
                  bags, options.bag_size, images.rows, images.columns, needed / 1e9, memory / 1e9),
      "use fewer bags (--train-bags, --validation-bags, --test-bags) or a smaller --bag-size");
}

/// The folder's bags, checked against what the example's network takes.
BagFolder load_images(const std::string& folder, std::int64_t bag_size) {
  BagFolder bags = load_bags(folder);
  const auto fail = [&](const char* file, const std::string& what) {
    throw FormatError({.path = folder + "/" + file}, what);
  };
  if (bags.instances.dims.size() != 3)
    fail("X.npy", fmt::format("shape {}; expected (instances, rows, columns)",
                              io::dims_text(bags.instances.dims)));
  for (std::size_t i = 0; i < bags.bags(); ++i)
    if (bags.offsets[i + 1] - bags.offsets[i] != bag_size)
      fail("offsets.npy", fmt::format("bag {} has {} instances; expected {}, the model's bag size",
                                      i, bags.offsets[i + 1] - bags.offsets[i], bag_size));
  for (std::size_t i = 0; bags.labels && i < bags.bags(); ++i)
    if ((*bags.labels)[i] != 0 && (*bags.labels)[i] != 1)
      fail("y.npy", fmt::format("label {} of bag {}; expected 0 or 1", (*bags.labels)[i], i));
  return bags;
}

/// The values of X as the network takes them: bytes divided by 255, numbers as they are.
std::vector<float> pixel_values(const io::Array& x) {
  std::vector<float> values(x.size());
  if (x.type == io::ElementType::uint8)
    std::ranges::transform(io::values_of<std::uint8_t>(x), values.begin(),
                           [](std::uint8_t byte) { return static_cast<float>(byte) / 255.0F; });
  else if (x.type == io::ElementType::float32)
    std::ranges::copy(io::values_of<float>(x), values.begin());
  else
    std::ranges::transform(io::values_of<double>(x), values.begin(),
                           [](double value) { return static_cast<float>(value); });
  return values;
}

/// Gathers instance j of every bag; pixel(instance, k) gives the k-th pixel of an instance.
template <class Pixel>
Tensors gather_instances(std::int64_t bags, std::int64_t bag_size, std::int64_t rows,
                         std::int64_t columns, const Pixel& pixel) {
  Tensors result;
  const std::int64_t pixels = rows * columns;
  for (std::int64_t j = 0; j < bag_size; ++j) {
    std::vector<float> values(static_cast<std::size_t>(bags * pixels));
    for (std::int64_t i = 0; i < bags; ++i)
      for (std::int64_t k = 0; k < pixels; ++k)
        values[static_cast<std::size_t>(i * pixels + k)] = pixel(i * bag_size + j, k);
    result.push_back(tensor(values, Shape{bags, rows, columns}));
  }
  return result;
}

}  // namespace

std::int64_t Bags::positives() const { return std::count(labels.begin(), labels.end(), 1); }

Tensor Bags::label_tensor() const {
  return tensor(std::vector<std::int64_t>(labels.begin(), labels.end()), Shape{count()});
}

std::vector<std::int64_t> draw_indices(std::span<const std::int64_t> candidates,
                                       const DrawOptions& options) {
  const auto available = static_cast<std::int64_t>(candidates.size());
  if (available < options.bag_size)
    throw ValueError(fmt::format("[bags] {} digits are left to draw from, a bag needs {}",
                                 available, options.bag_size),
                     "use a smaller --bag-size or fewer --validation-bags");
  RandomSequence random({options.seed, 0});
  std::vector<std::int64_t> indices;
  std::vector<std::int64_t> last_bag(candidates.size(), -1);  // that holds the candidate
  for (std::int64_t bag = 0; bag < options.count; ++bag) {
    for (std::int64_t drawn = 0; drawn < options.bag_size;) {
      const auto place = static_cast<std::size_t>(random.below(candidates.size()));
      if (std::exchange(last_bag[place], bag) == bag) continue;
      indices.push_back(candidates[place]);
      ++drawn;
    }
  }
  return indices;
}

Bags make_bags(const nn::data::ImageSet& images, std::span<const std::int64_t> indices,
               const DrawOptions& options) {
  Bags bags{.bag_size = options.bag_size,
            .rows = static_cast<std::int64_t>(images.rows),
            .columns = static_cast<std::int64_t>(images.columns)};
  const auto pixels = images.rows * images.columns;
  bags.instances = gather_instances(
      options.count, options.bag_size, bags.rows, bags.columns,
      [&](std::int64_t instance, std::int64_t k) {
        const auto image = static_cast<std::size_t>(indices[static_cast<std::size_t>(instance)]);
        return static_cast<float>(images.images[image * pixels + static_cast<std::size_t>(k)]) /
               255.0F;
      });
  for (std::int64_t index : indices)
    bags.keys.push_back(images.labels[static_cast<std::size_t>(index)] == options.positive_class);
  for (std::int64_t bag = 0; bag < options.count; ++bag) {
    const auto first = bags.keys.begin() + bag * options.bag_size;
    bags.labels.push_back(std::find(first, first + options.bag_size, true) !=
                          first + options.bag_size);
  }
  return bags;
}

RunBags draw_run_bags(const nn::data::ImageDataset& digits, const BagOptions& options,
                      std::int64_t seed) {
  require_class(digits, options.positive_class);
  require_memory(digits.test, options);
  const auto draw_options = [&](std::int64_t count, std::uint64_t stream) {
    return DrawOptions{.count = count,
                       .bag_size = options.bag_size,
                       .positive_class = options.positive_class,
                       .seed = derive_seed(static_cast<std::uint64_t>(seed), stream)};
  };
  const DrawOptions train = draw_options(options.train_bags, 0),
                    validation = draw_options(options.validation_bags, 1),
                    test = draw_options(options.test_bags, 2);
  const auto validation_indices = draw_indices(all_of(digits.test), validation);
  RunBags bags;
  bags.train = make_bags(digits.train, draw_indices(all_of(digits.train), train), train);
  bags.validation = make_bags(digits.test, validation_indices, validation);
  if (test.count > 0)
    bags.test =
        make_bags(digits.test, draw_indices(without(digits.test, validation_indices), test), test);
  return bags;
}

Bags read_bags(const std::string& folder, std::int64_t bag_size) {
  const BagFolder files = load_images(folder, bag_size);
  const std::vector<std::size_t>& dims = files.instances.dims;
  Bags bags{.bag_size = bag_size,
            .rows = static_cast<std::int64_t>(dims[1]),
            .columns = static_cast<std::int64_t>(dims[2])};
  const std::vector<float> values = pixel_values(files.instances);
  const auto pixels = static_cast<std::int64_t>(dims[1] * dims[2]);
  bags.instances =
      gather_instances(static_cast<std::int64_t>(files.bags()), bag_size, bags.rows, bags.columns,
                       [&](std::int64_t instance, std::int64_t k) {
                         return values[static_cast<std::size_t>(instance * pixels + k)];
                       });
  if (files.labels) bags.labels.assign(files.labels->begin(), files.labels->end());
  return bags;
}

}  // namespace mil
