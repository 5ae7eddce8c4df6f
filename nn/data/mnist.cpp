// Loading MNIST and Fashion-MNIST from a folder.
#include "nn/data/mnist.h"

#include "nn/data/mnist_files.h"
#include "nn/io/idx.h"
#include "tensor/error.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn::data {

namespace {

constexpr std::string_view kFashionMnistFolder = "/usr/share/datasets/fashion-mnist";

// What sets one dataset apart from another of the same form.
struct Source {
  std::string name;
  Checksums checksums;
  std::filesystem::path usual_folder;
  std::string cure;
};

io::Array read_checked(const std::filesystem::path& folder, std::size_t file, const Source& source,
                       Verify verify, ImageDataset& dataset) {
  const std::string_view name = kFileNames[file];
  const std::optional<std::filesystem::path> path = find_file(folder, name);
  if (!path) {
    throw NotFoundError(
        folder,
        fmt::format("holds no {0} or {0}.gz; expected the four files of {1}", name, source.name),
        source.cure);
  }
  io::Array array = io::read_idx(*path);
  const std::string checksum = io::idx_sha256(array);
  if (verify == Verify::published && checksum != source.checksums[file]) {
    throw FormatError(
        {*path},
        fmt::format("not the published {} of {}; expected SHA-256 {} of the unpacked "
                    "file, found {}",
                    name, source.name, source.checksums[file], checksum),
        source.cure + "; to load other files of this form, turn the check off (--no-verify)");
  }
  const std::size_t rank = name.find("images") != name.npos ? 3 : 1;
  if (array.dims.size() != rank) {
    throw FormatError({*path}, fmt::format("an array of dims {}; expected {} dimensions",
                                           io::dims_text(array.dims), rank));
  }
  dataset.sha256.emplace(name, checksum);
  return array;
}

ImageSet read_set(const std::filesystem::path& folder, std::size_t first_file, const Source& source,
                  Verify verify, ImageDataset& dataset) {
  io::Array images = read_checked(folder, first_file, source, verify, dataset);
  io::Array labels = read_checked(folder, first_file + 1, source, verify, dataset);
  if (images.dims[0] != labels.dims[0]) {
    throw FormatError({find_file(folder, kFileNames[first_file + 1])->string()},
                      fmt::format("{} labels for {} images; expected one label for each image",
                                  labels.dims[0], images.dims[0]));
  }
  if (images.dims[0] == 0 || images.dims[1] == 0 || images.dims[2] == 0) {
    throw FormatError({find_file(folder, kFileNames[first_file])->string()},
                      fmt::format("images of dims {}; expected at least one image of one pixel",
                                  io::dims_text(images.dims)));
  }
  return {std::move(images.bytes), std::move(labels.bytes), images.dims[0], images.dims[1],
          images.dims[2]};
}

ImageDataset load(const LoadOptions& options, const Source& source) {
  const bool given = !options.directory.empty();
  ImageDataset dataset;
  dataset.directory = given ? options.directory : source.usual_folder;
  if (!std::filesystem::is_directory(dataset.directory)) {
    throw NotFoundError(dataset.directory,
                        fmt::format("no such folder; expected the four files of {}", source.name),
                        source.cure);
  }
  dataset.train = read_set(dataset.directory, 0, source, options.verify, dataset);
  dataset.test = read_set(dataset.directory, 2, source, options.verify, dataset);
  if (dataset.train.rows != dataset.test.rows || dataset.train.columns != dataset.test.columns) {
    throw FormatError(
        {find_file(dataset.directory, kFileNames[2])->string()},
        fmt::format("images of {} x {}; expected {} x {} as in the training set", dataset.test.rows,
                    dataset.test.columns, dataset.train.rows, dataset.train.columns));
  }
  return dataset;
}

}  // namespace

std::optional<std::filesystem::path> find_file(const std::filesystem::path& folder,
                                               std::string_view name) {
  const std::string whole(name);
  const std::string brief = whole.substr(0, whole.find("-idx"));
  for (const std::string& candidate : {whole, whole + ".gz", brief, brief + ".gz"}) {
    const auto path = folder / candidate;
    if (std::filesystem::is_regular_file(path)) return path;
  }
  return std::nullopt;
}

ImageDataset load_mnist(const LoadOptions& options) {
  const bool given = !options.directory.empty();
  return load(options, {"MNIST", kMnistChecksums, given ? "" : io::user_cache() / "mnist",
                        "run `mil data fetch mnist`, or scripts/fetch_mnist"});
}

ImageDataset load_fashion_mnist(const LoadOptions& options) {
  return load(options, {"Fashion-MNIST", kFashionMnistChecksums, kFashionMnistFolder,
                        "install Debian's package dataset-fashion-mnist"});
}

}  // namespace milgrad::nn::data
