// Getting MNIST from its mirrors.
#include "nn/data/mnist.h"
#include "nn/data/mnist_files.h"
#include "nn/io/download.h"
#include "nn/io/idx.h"
#include "tensor/error.h"

#include <fmt/format.h>

namespace milgrad::nn::data {

namespace {

// The largest of the gzipped files has 9.9 MB.
constexpr std::size_t kLargestFile = std::size_t{16} << 20;

bool is_good(const std::filesystem::path& folder, std::size_t file) {
  const auto path = find_file(folder, kFileNames[file]);
  if (!path) return false;
  try {
    return io::idx_sha256(io::read_idx(*path)) == kMnistChecksums[file];
  } catch (const Error&) {
    return false;
  }
}

// Throws where the mirror does not answer with the published file, or where `given_up` becomes
// true.
void fetch_file(const std::string& mirror, std::size_t file, const std::filesystem::path& folder,
                const FetchOptions& options, bool& given_up) {
  const std::string name(kFileNames[file]);
  const std::string url = mirror + (mirror.ends_with('/') ? "" : "/") + name + ".gz";
  io::DownloadOptions download{.max_size = kLargestFile};
  if (options.progress) {
    download.progress = [&](std::size_t received, std::size_t total) {
      given_up = !options.progress(url, received, total);
      return !given_up;
    };
  }
  const io::Array array = io::parse_idx(io::download(url, download), url);
  const std::string checksum = io::idx_sha256(array);
  if (checksum != kMnistChecksums[file]) {
    throw FormatError({url}, fmt::format("expected SHA-256 {} of the unpacked file, found {}",
                                         kMnistChecksums[file], checksum));
  }
  io::write_idx(folder / name, array);
}

}  // namespace

std::filesystem::path fetch_mnist(const FetchOptions& options) {
  const auto folder = options.directory.empty() ? io::user_cache() / "mnist" : options.directory;
  io::make_directories(folder);
  std::vector<std::size_t> missing;
  for (std::size_t file = 0; file < kFiles; ++file) {
    if (!is_good(folder, file)) missing.push_back(file);
  }
  std::string tried;
  bool given_up = false;
  for (const std::string& mirror : options.mirrors) {
    if (given_up) break;
    try {
      while (!missing.empty()) {
        fetch_file(mirror, missing.front(), folder, options, given_up);
        missing.erase(missing.begin());
      }
    } catch (const WriteError&) {
      throw;
    } catch (const Error& error) {
      tried += fmt::format("\n  {}", error.what());
    }
  }
  if (missing.empty()) return folder;
  throw NotFoundError(folder, "MNIST could not be fetched; tried:" + tried,
                      "give another mirror (mil data fetch mnist --mirror URL), run "
                      "scripts/fetch_mnist, or put the four files there");
}

}  // namespace milgrad::nn::data
