// Runs of the program mil on a small set of digits, for the tests of what it does from outside.
#pragma once

#include "nn/io/idx.h"
#include "tests/support.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace milgrad::test {

using Arguments = std::vector<std::string>;

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Blocks until the file exists; throws where it does not appear.
inline void wait_for_file(const std::filesystem::path& path) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!std::filesystem::exists(path)) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error(path.string() + " was not written");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

/// A folder with digits, and commands on them.
struct MilRuns {
  TemporaryDirectory folder;

  Arguments command(const std::string& name, const Arguments& more) const {
    Arguments all{program("mil").string(), name, "--data-dir", (folder / "digits").string(),
                  "--no-verify"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// A short training of the example with more flags.
  Arguments train(const std::string& out, const Arguments& more = {}) const {
    Arguments all = command(
        "train", {"--out", (folder / out).string(), "--train-bags", "150", "--validation-bags",
                  "40", "--test-bags", "60", "--epochs", "2", "--seed", "5"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::string text(const std::string& name) const { return read_file(folder / name); }
  std::string path(const std::string& name) const { return (folder / name).string(); }
};

/// Digits that need no data: 8 x 8 pixels, of class k = i % 10 those with a bright bar at k.
struct ToyRuns : MilRuns {
  ToyRuns() {
    std::filesystem::create_directory(folder / "digits");
    write("train", 300);
    write("t10k", 200);
  }

  /// Replaces one of the two sets by `count` digits.
  void write(const std::string& name, std::size_t count) const {
    constexpr std::size_t kSide = 8;
    std::vector<std::uint8_t> images(count * kSide * kSide), labels(count);
    for (std::size_t i = 0; i < count; ++i) {
      labels[i] = static_cast<std::uint8_t>(i % 10);
      for (std::size_t k = 0; k < kSide * kSide; ++k) {
        const bool bright = k / 6 == labels[i];
        images[i * kSide * kSide + k] =
            static_cast<std::uint8_t>((bright ? 200 : 0) + (i + k) % 50);
      }
    }
    io::write_idx(folder / ("digits/" + name + "-images-idx3-ubyte"),
                  io::make_array({count, kSide, kSide}, images));
    io::write_idx(folder / ("digits/" + name + "-labels-idx1-ubyte"),
                  io::make_array({count}, labels));
  }
};

}  // namespace milgrad::test
