// MNIST: loading from a folder, every refusal, fetching from a server of the test's own.
#include "nn/data/mnist.h"
#include "nn/io/gzip.h"
#include "nn/io/idx.h"
#include "nn/io/sha256.h"
#include "tensor/error.h"
#include "tests/http_server.h"
#include "tests/support.h"

#include <cstdlib>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace {

using milgrad::FormatError;
using milgrad::NotFoundError;
using milgrad::io::Array;
using milgrad::io::ElementType;
using milgrad::io::write_idx;
using milgrad::nn::data::fetch_mnist;
using milgrad::nn::data::ImageDataset;
using milgrad::nn::data::load_fashion_mnist;
using milgrad::nn::data::load_mnist;
using milgrad::nn::data::Verify;
using milgrad::test::HttpServer;
using milgrad::test::TemporaryDirectory;

const Array kImages{ElementType::uint8, {3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
const Array kLabels{ElementType::uint8, {3}, {7, 1, 0}};

void write_subset(const std::filesystem::path& folder) {
  write_idx(folder / "train-images-idx3-ubyte", kImages);
  write_idx(folder / "train-labels-idx1-ubyte", kLabels);
  milgrad::io::write_file(folder / "t10k-images-idx3-ubyte.gz",
                          milgrad::io::gzip(milgrad::io::idx_bytes(kImages)));
  write_idx(folder / "t10k-labels", kLabels);
}

std::string refusal(const std::filesystem::path& folder) {
  try {
    load_mnist({.directory = folder, .verify = Verify::none});
  } catch (const milgrad::Error& error) {
    return error.what();
  }
  return "accepted";
}

// Sets an environment variable (or removes it) for the length of a test.
class Environment {
 public:
  Environment(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Environment() { set(before_); }

 private:
  void set(const std::optional<std::string>& value) {
    if (value) {
      setenv(name_, value->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("data mnist: a subset is loaded when the check is off") {
  const TemporaryDirectory folder;
  write_subset(folder.path());
  const ImageDataset data = load_mnist({.directory = folder.path(), .verify = Verify::none});
  CHECK(data.directory == folder.path());
  CHECK(data.train.count == 3);
  CHECK(data.train.rows == 2);
  CHECK(data.train.columns == 2);
  CHECK(data.train.images == kImages.bytes);
  CHECK(data.test.images == kImages.bytes);
  CHECK(data.test.labels == kLabels.bytes);
  CHECK(data.sha256.at("t10k-images-idx3-ubyte") ==
        milgrad::io::sha256(milgrad::io::idx_bytes(kImages)));
  CHECK(data.sha256.size() == 4);
}

TEST_CASE("data mnist: other files than the published ones are refused") {
  const TemporaryDirectory folder;
  write_subset(folder.path());
  const auto path = folder / "train-images-idx3-ubyte";
  try {
    load_mnist({.directory = folder.path()});
    FAIL("expected FormatError");
  } catch (const FormatError& error) {
    CHECK(error.what() ==
          fmt::format("{}: not the published train-images-idx3-ubyte of MNIST; expected SHA-256 "
                      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db of the "
                      "unpacked file, found {}",
                      path.string(), milgrad::io::idx_sha256(kImages)));
    CHECK(error.hint() ==
          "run `mil data fetch mnist`, or scripts/fetch_mnist; to load other files of this form, "
          "turn the check off (--no-verify)");
  }
  CHECK_THROWS_WITH_AS(load_fashion_mnist({.directory = folder.path()}),
                       doctest::Contains("of Fashion-MNIST; expected SHA-256 c59f468a2f672dc8"),
                       FormatError);
}

TEST_CASE("data mnist: counts and sizes that do not agree are refused") {
  const TemporaryDirectory folder;
  write_subset(folder.path());
  const auto labels = folder / "train-labels-idx1-ubyte";
  write_idx(labels, {ElementType::uint8, {2}, {7, 1}});
  CHECK(refusal(folder.path()) ==
        labels.string() + ": 2 labels for 3 images; expected one label for each image");
  write_idx(labels, kImages);
  CHECK(refusal(folder.path()) ==
        labels.string() + ": an array of dims (3, 2, 2); expected 1 dimensions");
  write_subset(folder.path());
  const auto images = folder / "t10k-images-idx3-ubyte";
  write_idx(images, {ElementType::uint8, {3, 1, 2}, {0, 1, 2, 3, 4, 5}});
  CHECK(refusal(folder.path()) ==
        images.string() + ": images of 1 x 2; expected 2 x 2 as in the training set");
  write_idx(images, {ElementType::uint8, {0, 2, 2}, {}});
  write_idx(folder / "t10k-labels-idx1-ubyte", {ElementType::uint8, {0}, {}});
  CHECK(refusal(folder.path()) ==
        images.string() + ": images of dims (0, 2, 2); expected at least one image of one pixel");
}

TEST_CASE("data mnist: missing files and folders are named, with the cure") {
  const TemporaryDirectory folder;
  write_subset(folder.path());
  std::filesystem::remove(folder / "t10k-labels");
  CHECK(refusal(folder.path()) ==
        folder.path().string() +
            ": holds no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz; expected the four "
            "files of MNIST");
  const Environment cache("XDG_CACHE_HOME", folder.path());
  try {
    load_mnist();
    FAIL("expected NotFoundError");
  } catch (const NotFoundError& error) {
    CHECK(error.what() == (folder / "milgrad/mnist").string() +
                              ": no such folder; expected the four files of MNIST");
    CHECK(error.hint() == "run `mil data fetch mnist`, or scripts/fetch_mnist");
  }
  const Environment relative("XDG_CACHE_HOME", "relative");
  const Environment home("HOME", std::nullopt);
  CHECK_THROWS_WITH_AS(load_mnist(),
                       "~/.cache/milgrad: neither XDG_CACHE_HOME nor HOME names a folder; expected "
                       "an absolute path",
                       NotFoundError);
}

TEST_CASE("data mnist: the real files are loaded and are the published ones") {
  const auto folder = milgrad::test::data_or_skip("mnist");
  const ImageDataset data = load_mnist({.directory = folder});
  CHECK(data.train.count == 60000);
  CHECK(data.test.count == 10000);
  CHECK(data.train.rows == 28);
  CHECK(data.train.columns == 28);
  CHECK(data.train.labels[0] == 5);
  CHECK(data.test.labels[0] == 7);
  // The mean pixel of the training images is known to be 33.3184 (0.1307 x 255).
  const double sum = std::accumulate(data.train.images.begin(), data.train.images.end(), 0.0);
  CHECK(sum / static_cast<double>(data.train.images.size()) == doctest::Approx(33.3184));
}

TEST_CASE("data mnist: the real Fashion-MNIST is loaded") {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    milgrad::test::skip("Debian's package dataset-fashion-mnist is not installed");
  }
  const ImageDataset data = load_fashion_mnist();
  CHECK(data.train.count == 60000);
  CHECK(data.test.count == 10000);
  CHECK(data.train.labels[0] == 9);
}

TEST_CASE("data mnist: fetched from the first mirror that has it, kept when it is there") {
  const auto source = milgrad::test::data_or_skip("mnist");
  int requests = 0;
  const HttpServer server([&](const std::string& path) {
    ++requests;
    const auto file = source / path.substr(path.rfind('/') + 1);
    if (!path.starts_with("/good/")) return milgrad::test::http_response("404 Not Found", "");
    return milgrad::test::http_response("200 OK", milgrad::test::read_file(file));
  });
  const TemporaryDirectory folder;
  const auto target = folder / "new" / "mnist";
  const std::vector<std::string> mirrors{server.url() + "/bad", server.url() + "/good"};
  CHECK(fetch_mnist({.directory = target, .mirrors = mirrors}) == target);
  CHECK(load_mnist({.directory = target}).test.labels[0] == 7);
  CHECK(requests == 5);
  fetch_mnist({.directory = target, .mirrors = mirrors});
  CHECK(requests == 5);
  milgrad::io::write_file(target / "t10k-labels-idx1-ubyte", "damaged");
  fetch_mnist({.directory = target, .mirrors = mirrors});
  CHECK(requests == 7);
  CHECK(load_mnist({.directory = target}).test.count == 10000);
}

TEST_CASE("data mnist: where no mirror has it, one error lists what was tried") {
  const std::string packed = [] {
    const auto bytes = milgrad::io::gzip(milgrad::io::idx_bytes(kImages));
    return std::string(bytes.begin(), bytes.end());
  }();
  const HttpServer server([&](const std::string& path) {
    if (path.starts_with("/wrong/")) return milgrad::test::http_response("200 OK", packed);
    if (path.starts_with("/page/")) return milgrad::test::http_response("200 OK", "<html>");
    return milgrad::test::http_response("404 Not Found", "");
  });
  const TemporaryDirectory folder;
  const std::string& url = server.url();
  const std::string file = "/train-images-idx3-ubyte.gz";
  try {
    fetch_mnist(
        {.directory = folder.path(), .mirrors = {url + "/absent", url + "/wrong/", url + "/page"}});
    FAIL("expected NotFoundError");
  } catch (const NotFoundError& error) {
    CHECK(error.what() ==
          fmt::format("{0}: MNIST could not be fetched; tried:\n"
                      "  {1}/absent{2}: The requested URL returned error: 404\n"
                      "  {1}/wrong{2}: expected SHA-256 ba891046e6505d7aadcbbe25680a0738ad16aec93b"
                      "de7f9b65e87a2fc25776db of the unpacked file, found {3}\n"
                      "  {1}/page{2}: byte 0: expected an IDX file, which begins with 0000, found "
                      "3c68",
                      folder.path().string(), url, file, milgrad::io::idx_sha256(kImages)));
    CHECK(error.hint() ==
          "give another mirror (mil data fetch mnist --mirror URL), run scripts/fetch_mnist, or "
          "put the four files there");
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("data mnist: progress names the file and can give the fetch up") {
  int requests = 0;
  const HttpServer server([&](const std::string&) {
    ++requests;
    return milgrad::test::http_response("200 OK", std::string(100000, 'x'));
  });
  const TemporaryDirectory folder;
  std::string seen;
  CHECK_THROWS_WITH_AS(
      fetch_mnist({.directory = folder.path(),
                   .mirrors = {server.url(), server.url()},
                   .progress =
                       [&](const std::string& url, std::size_t received, std::size_t) {
                         seen = url;
                         return received == 0;
                       }}),
      doctest::Contains("Callback aborted"), NotFoundError);
  CHECK(seen == server.url() + "/train-images-idx3-ubyte.gz");
  CHECK(requests == 1);
}
