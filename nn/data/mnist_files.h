// The four files of MNIST and its kin: names, published checksums, finding them.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string_view>

namespace milgrad::nn::data {

/// Training images, training labels, test images, test labels, in this order everywhere.
constexpr std::size_t kFiles = 4;

constexpr std::array<std::string_view, kFiles> kFileNames{
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
};

/// SHA-256 of the unpacked files.
using Checksums = std::array<std::string_view, kFiles>;

constexpr Checksums kMnistChecksums{
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

/// Of Debian's dataset-fashion-mnist 0.0~git20200523.55506a9-1.
constexpr Checksums kFashionMnistChecksums{
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
};

/// The file of that usual name in the folder: as it is, gzipped, or under its short name
/// ("train-images"); nothing where there is none.
std::optional<std::filesystem::path> find_file(const std::filesystem::path& folder,
                                               std::string_view name);

}  // namespace milgrad::nn::data
