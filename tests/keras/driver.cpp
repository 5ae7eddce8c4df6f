// Runs the example for the live comparison with Keras: loads Keras's weights, says what the model
// predicts, trains on the given bags in the given order, and saves. Everything comes from and goes
// to the files that tests/keras/reference.py names.
#include "examples/mil/example_model.h"
#include "nn/io/npy.h"
#include "nn/optimizers.h"
#include "nn/trainer.h"
#include "tensor/ops.h"

#include <fstream>
#include <iostream>
#include <numeric>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace {

using namespace milgrad;  // NOLINT: written as a user of the library would
namespace fs = std::filesystem;

constexpr std::size_t kPixels = 28 * 28;

struct Options {
  fs::path data;
  fs::path out;
  fs::path weights;
  std::string dtype = "float32";
  std::string adam = "default";
  bool run_eagerly = false;
  std::size_t from = 0;
  std::size_t to = 0;
};

/// Bags as stored: uint8 [bags, instances, 28, 28] and a label each.
struct Bags {
  Bags(const fs::path& folder, const std::string& prefix)
      : images(io::read_npy(folder / (prefix + "bags.npy"))),
        labels(io::read_npy(folder / (prefix + "labels.npy"))) {}
  std::size_t count() const { return images.dims[0]; }
  std::size_t instances() const { return images.dims[1]; }

  io::Array images;
  io::Array labels;
};

/// The chosen bags as the model takes them: one tensor [bags, 28, 28] in [0, 1] per instance.
Tensors inputs_of(const Bags& bags, std::span<const std::size_t> chosen) {
  const auto pixels = io::values_of<std::uint8_t>(bags.images);
  Tensors inputs;
  for (std::size_t instance = 0; instance < bags.instances(); ++instance) {
    std::vector<double> values;
    for (std::size_t bag : chosen) {
      const auto image = pixels.subspan((bag * bags.instances() + instance) * kPixels, kPixels);
      for (std::uint8_t pixel : image) values.push_back(pixel / 255.0);
    }
    inputs.push_back(tensor(values, Shape{static_cast<Dim>(chosen.size()), 28, 28}));
  }
  return inputs;
}

Tensor labels_of(const Bags& bags, std::span<const std::size_t> chosen) {
  const auto all = io::values_of<std::int64_t>(bags.labels);
  std::vector<std::int64_t> labels;
  for (std::size_t bag : chosen) labels.push_back(all[bag]);
  return tensor(labels, Shape{static_cast<Dim>(labels.size())});
}

void write_values(const fs::path& path, const std::vector<double>& values) {
  io::write_npy(path, io::make_array({values.size()}, values));
}

/// Columns [n, 1] or [n, k] side by side, as float64.
void write_columns(const fs::path& path, const Tensors& columns) {
  const auto rows = static_cast<std::size_t>(columns[0].size(0));
  std::vector<double> values;
  for (std::size_t row = 0; row < rows; ++row)
    for (const Tensor& column : columns) {
      const auto width = static_cast<std::size_t>(column.size(1));
      const auto wide = cast(column, DType::float64);
      const auto part = wide.data<double>().subspan(row * width, width);
      values.insert(values.end(), part.begin(), part.end());
    }
  io::write_npy(path, io::make_array({rows, values.size() / rows}, values));
}

nn::Model compiled_model(const nlohmann::json& config, const Options& options) {
  nn::Model model = mil::make_model({.gated = config["gated"],
                                     .attention_dim = config["attention_dim"],
                                     .dense = config["dense"],
                                     .l2 = config["l2"]},
                                    config["bag_size"], {});
  model.compile({.optimizer = nn::Adam({.learning_rate = config["learning_rate"],
                                        .exact_keras_scalars = options.adam == "exact-keras"}),
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = {"accuracy"},
                 .run_eagerly = options.run_eagerly});
  return model;
}

/// Weights and, where training goes on, the optimizer's state.
void load(nn::Model& model, const Options& options) {
  std::vector<Variable> trained;
  for (const nn::Weight& weight : model.trainable_weights()) trained.push_back(weight.variable);
  model.optimizer().build(trained);
  const nn::LoadReport report = model.load_weights(options.weights);
  if (options.from > 0 && !report.skipped.empty()) throw ValueError(report.skipped[0]);
}

void describe(nn::Model& model, const Bags& tests, const fs::path& out) {
  std::vector<std::size_t> all(tests.count());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const Tensors inputs = inputs_of(tests, all);
  write_columns(out / "predictions.npy", model.predict(inputs));
  write_columns(out / "attention.npy", mil::attention_model(model).predict(inputs));
  const nn::Logs logs = model.evaluate(inputs, labels_of(tests, all));
  write_values(out / "evaluate.npy", {logs["loss"], logs["accuracy"]});
}

void train(nn::Model& model, const nlohmann::json& config, const Options& options) {
  const Bags bags(options.data, "");
  const io::Array order_file = io::read_npy(options.data / "order.npy");
  const auto order = io::values_of<std::int64_t>(order_file);
  const nn::ClassWeights weights = {{0, config["class_weight"][0]}, {1, config["class_weight"][1]}};
  std::vector<double> losses;
  for (std::size_t step = options.from; step < options.to; ++step) {
    const std::size_t bag[] = {static_cast<std::size_t>(order[step])};
    losses.push_back(model.train_on_batch(inputs_of(bags, bag), labels_of(bags, bag),
                                          {.class_weight = weights})["loss"]);
  }
  write_values(options.out / "losses.npy", losses);
}

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app("Runs the example for the comparison with Keras.");
  app.add_option("--data", options.data, "folder with config.json and the bags")->required();
  app.add_option("--out", options.out, "folder for the results")->required();
  app.add_option("--weights", options.weights, "a .weights.h5 to start from")->required();
  app.add_option("--dtype", options.dtype)->check(CLI::IsMember({"float32", "float64"}));
  app.add_option("--adam", options.adam)->check(CLI::IsMember({"default", "exact-keras"}));
  app.add_flag("--run-eagerly", options.run_eagerly, "operation by operation, without programs");
  app.add_option("--from", options.from, "first step, as a place in order.npy");
  app.add_option("--to", options.to, "behind the last step");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  nn::set_floatx(options.dtype == "float64" ? DType::float64 : DType::float32);
  const auto config = nlohmann::json::parse(std::ifstream(options.data / "config.json"));
  nn::Model model = compiled_model(config, options);
  load(model, options);
  describe(model, Bags(options.data, "test_"), options.out);
  train(model, config, options);
  model.save_weights(options.out / "trained.weights.h5");
  return 0;
} catch (const std::exception& error) {
  std::cerr << "milgrad_parity: error: " << error.what() << '\n';
  return 1;
}
