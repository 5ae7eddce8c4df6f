// What each command of mil can be told. Every member is set from the table in option_table.cpp,
// which is also where flags, environment variables, file keys, ranges and help texts stand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace mil {

/// Who gave an option its value; later ones win over earlier ones.
enum class Source { default_value, file, environment, flag };

/// Where a value came from: "--epochs", "MIL_EPOCHS" or "run.toml:3:10".
struct Origin {
  Source source = Source::default_value;
  std::string place;
};

/// By option name; options left at their default are absent.
using Origins = std::map<std::string, Origin, std::less<>>;

/// How the program reads its configuration and talks.
struct CommonOptions {
  std::string config;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  Origins origins;
};

/// Which digits the bags are drawn from.
struct DatasetOptions {
  std::string dataset = "mnist";
  std::string data_dir;  ///< "" = the user's cache folder
  bool verify = true;
};

/// The bags of the Keras example.
struct BagOptions {
  std::int64_t positive_class = 1;
  std::int64_t bag_size = 3;
  std::int64_t train_bags = 1000;
  std::int64_t validation_bags = 300;
  std::int64_t test_bags = 3000;
};

/// The network: dense layers shared by the instances, attention over them.
struct ModelOptions {
  bool gated = true;
  std::int64_t attention_dim = 256;
  std::vector<std::int64_t> dense = {128, 64};
  double l2 = 0.01;
};

/// How the members are fitted.
struct FitOptions {
  std::int64_t ensemble = 1;
  std::int64_t epochs = 20;
  std::int64_t batch_size = 1;
  double learning_rate = 1e-3;
  bool early_stopping = true;
  std::int64_t patience = 10;
  bool class_weight = true;
  bool run_eagerly = false;
};

/// Random numbers and processors.
struct ComputeOptions {
  std::int64_t seed = 0;
  std::int64_t threads = std::max(1U, std::thread::hardware_concurrency());
};

struct TrainOptions {
  CommonOptions common;
  DatasetOptions dataset;
  BagOptions bags;
  ModelOptions model;
  FitOptions fit;
  ComputeOptions compute;
  std::int64_t plot_size = 3;
  bool profile = false;
  std::string out = "runs/train";
};

/// What predict and evaluate share: a trained model and the bags it is applied to.
struct ApplyOptions {
  CommonOptions common;
  DatasetOptions dataset;
  BagOptions bags;
  ModelOptions model;
  ComputeOptions compute;
  std::string weights;
  std::string data;  ///< folder with X.npy, offsets.npy and optionally y.npy; "" = the dataset
  std::string out;   ///< "" = standard output (predict) or no file (evaluate)
};

struct PredictOptions : ApplyOptions {};
struct EvaluateOptions : ApplyOptions {};

struct PlotOptions {
  CommonOptions common;
  DatasetOptions dataset;
  BagOptions bags;
  ModelOptions model;
  ComputeOptions compute;
  std::int64_t plot_size = 3;
  std::string weights;
  std::string out;  ///< "" = the folder of the weights
};

struct SummaryOptions {
  CommonOptions common;
  std::string weights;
};

struct FetchOptions {
  CommonOptions common;
  DatasetOptions dataset;
  std::string mirror;  ///< "" = the known mirrors
};

struct InspectOptions {
  CommonOptions common;
  DatasetOptions dataset;
  std::string data;  ///< folder of bags; "" = the dataset
};

struct InfoOptions {
  CommonOptions common;
};

using Command = std::variant<TrainOptions, PredictOptions, EvaluateOptions, PlotOptions,
                             SummaryOptions, FetchOptions, InspectOptions, InfoOptions>;

}  // namespace mil
