// `mil data fetch` and `mil data inspect`.
#include "examples/mil/commands.h"
#include "examples/mil/dataset.h"
#include "examples/mil/errors.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

using milgrad::nn::data::ImageDataset;
using milgrad::nn::data::ImageSet;
using nlohmann::json;

/// Downloads MNIST; Fashion-MNIST comes as a Debian package, so it is only looked for.
std::string fetch(const FetchOptions& options, Console& console) {
  if (options.dataset.dataset != "mnist") {
    if (options.mirror.empty()) return load_dataset(options.dataset).directory.string();
    throw UsageError("--mirror: fashion-mnist has no mirrors; expected mnist, found fashion-mnist",
                     "install Debian's package dataset-fashion-mnist");
  }
  milgrad::nn::data::FetchOptions fetch{.directory = options.dataset.data_dir};
  if (!options.mirror.empty()) fetch.mirrors = {options.mirror};
  fetch.progress = [&](const std::string& url, std::size_t received, std::size_t total) {
    const std::string share =
        total > 0 ? fmt::format("{} %", 100 * received / total) : fmt::format("{} bytes", received);
    console.progress(fmt::format("{}: {}", url, share));
    return true;
  };
  return milgrad::nn::data::fetch_mnist(fetch).string();
}

std::map<int, std::size_t> count_classes(const ImageSet& set) {
  std::map<int, std::size_t> counts;
  for (const std::uint8_t label : set.labels) ++counts[label];
  return counts;
}

json describe_set(const ImageSet& set) {
  json classes = json::object();
  for (const auto& [label, count] : count_classes(set)) classes[std::to_string(label)] = count;
  return {
      {"images", set.count}, {"rows", set.rows}, {"columns", set.columns}, {"per_class", classes}};
}

void print_set(const std::string& name, const ImageSet& set, Console& console) {
  console.print(fmt::format("{:<12}{} images of {} x {}", name, set.count, set.rows, set.columns));
  for (const auto& [label, count] : count_classes(set)) {
    console.print(fmt::format("  class {:<4}{:>6}", label, count));
  }
}

void inspect_images(const DatasetOptions& options, Console& console) {
  const ImageDataset dataset = load_dataset(options);
  console.print(fmt::format("{:<12}{}", "dataset", options.dataset));
  console.print(fmt::format("{:<12}{}", "folder", dataset.directory.string()));
  console.print(
      fmt::format("{:<12}{}", "SHA-256", options.verify ? "as published" : "not checked"));
  print_set("training", dataset.train, console);
  print_set("test", dataset.test, console);
  console.result({{"dataset", options.dataset},
                  {"folder", dataset.directory.string()},
                  {"verified", options.verify},
                  {"train", describe_set(dataset.train)},
                  {"test", describe_set(dataset.test)},
                  {"sha256", dataset.sha256}});
}

std::vector<std::int64_t> sorted_sizes(const BagFolder& bags) {
  std::vector<std::int64_t> sizes(bags.offsets.size());
  std::adjacent_difference(bags.offsets.begin(), bags.offsets.end(), sizes.begin());
  sizes.erase(sizes.begin());
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

void inspect_bags(const std::string& folder, Console& console) {
  const BagFolder bags = load_bags(folder);
  const std::vector<std::int64_t> sizes = sorted_sizes(bags);
  const double median = (sizes[(sizes.size() - 1) / 2] + sizes[sizes.size() / 2]) / 2.0;
  const auto shape = milgrad::io::dims_text(bags.instances.dims);
  const std::string type(milgrad::io::element_name(bags.instances.type));
  console.print(fmt::format("{:<12}{}", "folder", folder));
  console.print(fmt::format("{:<12}{} of shape {}", "instances", type, shape));
  console.print(fmt::format("{:<12}{}, of {} to {} instances, median {}", "bags", bags.bags(),
                            sizes.front(), sizes.back(), median));
  json report = {{"folder", folder},
                 {"instances", {{"type", type}, {"shape", bags.instances.dims}}},
                 {"bags", bags.bags()},
                 {"bag_size", {{"min", sizes.front()}, {"median", median}, {"max", sizes.back()}}}};
  if (bags.labels) {
    std::map<std::int64_t, std::size_t> counts;
    for (const std::int64_t label : *bags.labels) ++counts[label];
    report["per_label"] = json::object();
    for (const auto& [label, count] : counts) {
      report["per_label"][std::to_string(label)] = count;
      console.print(fmt::format("  label {:<4}{:>6}", label, count));
    }
  } else {
    console.print(fmt::format("{:<12}none (no y.npy)", "labels"));
  }
  console.result(report);
}

}  // namespace

ExitCode run_command(const FetchOptions& options, Console& console) {
  const std::string folder = fetch(options, console);
  console.print(fmt::format("{} is in {}", options.dataset.dataset, folder));
  console.result({{"dataset", options.dataset.dataset}, {"folder", folder}});
  return ExitCode::done;
}

ExitCode run_command(const InspectOptions& options, Console& console) {
  if (options.data.empty()) {
    inspect_images(options.dataset, console);
  } else {
    inspect_bags(options.data, console);
  }
  return ExitCode::done;
}

}  // namespace mil
