// `mil predict`, `mil evaluate`, `mil plot` and `mil summary`: what is done with a trained model.
#include "backends/cpu/thread_pool.h"
#include "examples/mil/bags.h"
#include "examples/mil/commands.h"
#include "examples/mil/dataset.h"
#include "examples/mil/evaluation.h"
#include "examples/mil/example_model.h"
#include "examples/mil/pictures.h"
#include "examples/mil/recall.h"
#include "examples/mil/trained.h"
#include "nn/io/csv.h"
#include "nn/io/file.h"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

namespace fs = std::filesystem;

namespace {

/// The options with whatever the weights know filled in.
template <class Options>
Options recalled(const Options& options, const SavedRun& run) {
  Command command = options;
  recall(command, run.configuration, run.weights[0].string());
  return std::get<Options>(command);
}

/// Trained members and the bags that they are applied to.
struct Application {
  nn::Ensemble members;
  Bags bags;
};

void require_shape(const Bags& bags, const std::string& source, const SavedRun& run) {
  const NetworkShape& shape = run.network;
  if (bags.rows == shape.rows && bags.columns == shape.columns) return;
  throw FormatError(
      {.path = source},
      fmt::format("images of {} x {} pixels; expected {} x {}, as the model of {} "
                  "takes them",
                  bags.rows, bags.columns, shape.rows, shape.columns, run.weights[0].string()));
}

/// The validation bags that the options describe.
template <class Options>
Bags draw_bags_again(const Options& options, const SavedRun& run) {
  const nn::data::ImageDataset digits = load_dataset(options.dataset);
  Bags bags = draw_run_bags(digits, options.bags, options.compute.seed).validation;
  require_shape(bags, digits.directory.string(), run);
  return bags;
}

template <class Options>
Application prepare(const Options& options, const SavedRun& run, Console& console) {
  set_num_threads(static_cast<int>(options.compute.threads));
  if (options.data.empty()) {
    Bags bags = draw_bags_again(options, run);
    return {load_members(run, console), std::move(bags)};
  }
  Bags bags = read_bags(options.data, options.bags.bag_size);
  require_shape(bags, (fs::path(options.data) / "X.npy").string(), run);
  return {load_members(run, console), std::move(bags)};
}

io::CsvTable prediction_table(const Predictions& predictions, const Bags& bags) {
  std::vector<std::string> columns{"bag", "label", "p_0", "p_1"};
  for (std::int64_t i = 1; i <= bags.bag_size; ++i)
    columns.push_back(fmt::format("attention_{}", i));
  io::CsvTable table(columns);
  for (std::size_t i = 0; i < predictions.classes.size(); ++i) {
    std::vector<io::CsvCell> row{static_cast<std::int64_t>(i)};
    if (bags.labels.empty())
      row.emplace_back(std::string());
    else
      row.emplace_back(static_cast<std::int64_t>(bags.labels[i]));
    for (double p : predictions.probabilities[i]) row.emplace_back(static_cast<float>(p));
    for (double alpha : predictions.attention[i]) row.emplace_back(static_cast<float>(alpha));
    table.add_row(row);
  }
  return table;
}

nlohmann::json prediction_json(const Predictions& predictions, const Bags& bags) {
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t i = 0; i < predictions.classes.size(); ++i)
    rows.push_back(
        {{"bag", i},
         {"label", bags.labels.empty() ? nlohmann::json() : nlohmann::json(bags.labels[i])},
         {"probabilities", predictions.probabilities[i]},
         {"attention", predictions.attention[i]}});
  return rows;
}

}  // namespace

ExitCode run_command(const PredictOptions& given, Console& console) {
  const SavedRun run = open_run(given.weights, console);
  const PredictOptions options = recalled(given, run);
  const Application application = prepare(options, run, console);
  const Predictions predictions = predict(application.members, application.bags);
  const io::CsvTable table = prediction_table(predictions, application.bags);
  if (options.out.empty()) {
    std::string_view text = table.text();
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (!console.settings().json) console.print(text);
  } else {
    table.write(options.out);
    console.message(
        fmt::format("Predictions of {} bags written to {}", application.bags.count(), options.out));
  }
  console.result(prediction_json(predictions, application.bags));
  return ExitCode::done;
}

ExitCode run_command(const EvaluateOptions& given, Console& console) {
  const SavedRun run = open_run(given.weights, console);
  const EvaluateOptions options = recalled(given, run);
  const Application application = prepare(options, run, console);
  const Bags& bags = application.bags;
  if (bags.labels.empty())
    throw NotFoundError((fs::path(options.data) / "y.npy").string(),
                        "no labels to evaluate against", "use mil predict for bags without labels");
  const Score score = mean_score(application.members, bags);
  const Predictions predictions = predict(application.members, bags);
  const Score together = averaged_score(predictions, bags);
  console.print(fmt::format("The average loss and accuracy are {:.2f} and {:.2f} % resp.",
                            score.loss, 100 * score.accuracy));
  if (!options.out.empty()) prediction_table(predictions, bags).write(options.out);
  console.result({{"bags", bags.count()},
                  {"positive", bags.positives()},
                  {"loss", score.loss},
                  {"accuracy", score.accuracy},
                  {"ensemble", {{"loss", together.loss}, {"accuracy", together.accuracy}}}});
  return ExitCode::done;
}

ExitCode run_command(const PlotOptions& given, Console& console) {
  const SavedRun run = open_run(given.weights, console);
  const PlotOptions options = recalled(given, run);
  set_num_threads(static_cast<int>(options.compute.threads));
  const Bags bags = draw_bags_again(options, run);
  const nn::Ensemble members = load_members(run, console);
  const fs::path folder =
      options.out.empty() ? run.weights[0].parent_path() : fs::path(options.out);
  if (!folder.empty()) io::make_directories(folder);
  draw_bags(bags, options.plot_size, folder, console);
  draw_attention(bags, predict(members, bags), options.plot_size, folder, console);
  console.result({{"folder", folder.string()},
                  {"files",
                   {"bags_positive.png", "bags_negative.png", "attention_positive.png",
                    "attention_negative.png"}}});
  return ExitCode::done;
}

ExitCode run_command(const SummaryOptions& options, Console& console) {
  const SavedRun run = open_run(options.weights, console);
  const nn::Ensemble members = load_members(run, console);
  print_summary(members[0], console);
  console.result({{"weights", run.weights[0].string()},
                  {"members", run.weights.size()},
                  {"parameters", members[0].count_params()},
                  {"configuration", run.configuration}});
  return ExitCode::done;
}

}  // namespace mil
