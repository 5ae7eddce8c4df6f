// The MNIST digits and sets of the same form: images of bytes, one label each, checked by SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad::nn::data {

/// `count` images of rows x columns bytes, one after the other, and their labels.
struct ImageSet {
  std::vector<std::uint8_t> images;
  std::vector<std::uint8_t> labels;
  std::size_t count = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;
};

struct ImageDataset {
  ImageSet train;
  ImageSet test;
  /// The folder it was found in.
  std::filesystem::path directory;
  /// Of the four unpacked files, under their usual names ("train-images-idx3-ubyte", ...).
  std::map<std::string, std::string> sha256;
};

enum class Verify {
  /// The SHA-256 of the unpacked files must be the published ones.
  published,
  /// Any files of this form, such as a subset; the form is still checked.
  none
};

struct LoadOptions {
  /// The only folder to look in; where empty, the places named below.
  std::filesystem::path directory = {};
  Verify verify = Verify::published;
};

/// MNIST (LeCun, Cortes, Burges; CC BY-SA 3.0): 60,000 digits for training and 10,000 for testing.
/// Looks in options.directory, else in io::user_cache() / "mnist". The four files may be gzipped
/// (".gz") and may lack "-idx3-ubyte" and "-idx1-ubyte" in their names. Throws NotFoundError with
/// all places tried, and FormatError for malformed files, a wrong checksum, counts of images and
/// labels that differ, and test images of another size than the training images.
ImageDataset load_mnist(const LoadOptions& options = {});

/// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; MIT): the same form, articles of clothing. Looks in
/// options.directory, else where Debian's package dataset-fashion-mnist puts it. Throws as
/// load_mnist does.
ImageDataset load_fashion_mnist(const LoadOptions& options = {});

/// The public HTTPS mirrors of MNIST's gzipped files: PyTorch's and the CVDF's.
constexpr std::array<std::string_view, 2> kMnistMirrors{
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
};

struct FetchOptions {
  /// Where the files go; io::user_cache() / "mnist" where empty. Made with its parents.
  std::filesystem::path directory = {};
  /// URLs of folders with the four gzipped files, tried in turn.
  std::vector<std::string> mirrors = {kMnistMirrors.begin(), kMnistMirrors.end()};
  /// Called now and then; total is 0 where the server does not say. False gives the fetch up.
  std::function<bool(const std::string& url, std::size_t received, std::size_t total)> progress =
      {};
};

/// Downloads what the folder lacks of MNIST and returns the folder. Each file is unpacked, compared
/// with its published SHA-256 and written by io::write_file; good files stay untouched. Throws
/// NotFoundError that lists what was tried, and WriteError.
std::filesystem::path fetch_mnist(const FetchOptions& options = {});

}  // namespace milgrad::nn::data
