// The table of options.
#include "examples/mil/option_table.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace mil {
namespace {

constexpr std::int64_t kMany = 1'000'000;
constexpr double kLargestReal = 1e30;  // its sums still fit into float32
constexpr std::string_view kData = "Data";
constexpr std::string_view kBags = "Bags";
constexpr std::string_view kModel = "Model";
constexpr std::string_view kTraining = "Training";
constexpr std::string_view kRun = "Run";

using Table = std::vector<Option>;

void add_common(Table& table, CommonOptions& o) {
  table.insert(table.end(),
               {
                   {.name = "config",
                    .value = Text{&o.config, "file"},
                    .help = "options from a TOML file; flags and variables win over it",
                    .group = kRun,
                    .in_file = false},
                   {.name = "json",
                    .value = Switch{&o.json},
                    .help = "results as JSON on stdout, errors as JSON on stderr",
                    .group = kRun},
                   {.name = "quiet",
                    .value = Switch{&o.quiet},
                    .help = "results, warnings and errors only",
                    .group = kRun,
                    .letter = 'q'},
                   {.name = "verbose",
                    .value = Switch{&o.verbose},
                    .help = "say more about what is done",
                    .group = kRun,
                    .letter = 'v'},
               });
}

Option dataset_option(DatasetOptions& o) {
  return {.name = "dataset",
          .value = Choice{&o.dataset, {"mnist", "fashion-mnist"}},
          .help = "images that the bags are drawn from",
          .group = kData,
          .recall = Recall::as_default};
}

Option positional(Option option) {
  option.positional = true;
  return option;
}

void add_data_dir(Table& table, DatasetOptions& o) {
  table.push_back({.name = "data-dir",
                   .value = Text{&o.data_dir, "folder"},
                   .help = "folder of the IDX files, instead of the user's cache",
                   .group = kData});
}

void add_verify(Table& table, DatasetOptions& o) {
  table.push_back({.name = "verify",
                   .value = Switch{&o.verify},
                   .help = "check the files against the published SHA-256",
                   .group = kData});
}

void add_dataset(Table& table, DatasetOptions& o) {
  table.push_back(dataset_option(o));
  add_data_dir(table, o);
  add_verify(table, o);
}

void add_folder_of_bags(Table& table, std::string& data) {
  table.push_back({.name = "data",
                   .value = Text{&data, "folder"},
                   .help = "bags of your own: X.npy, offsets.npy and, where known, y.npy",
                   .group = kData});
}

void add_bags(Table& table, BagOptions& o) {
  table.insert(table.end(), {
                                {.name = "positive-class",
                                 .value = Integer{&o.positive_class, 0, 255},
                                 .help = "a bag that holds this class is positive",
                                 .group = kBags,
                                 .recall = Recall::must_agree},
                                {.name = "bag-size",
                                 .value = Integer{&o.bag_size, 1, 10'000},
                                 .help = "instances in a bag",
                                 .group = kBags,
                                 .recall = Recall::must_agree},
                                {.name = "train-bags",
                                 .value = Integer{&o.train_bags, 1, kMany},
                                 .help = "bags to train on",
                                 .group = kBags,
                                 .recall = Recall::as_default},
                                {.name = "validation-bags",
                                 .value = Integer{&o.validation_bags, 1, kMany},
                                 .help = "bags that choose the best epoch",
                                 .group = kBags,
                                 .recall = Recall::as_default},
                                {.name = "test-bags",
                                 .value = Integer{&o.test_bags, 1, kMany},
                                 .help = "untouched bags for the final figures",
                                 .group = kBags,
                                 .recall = Recall::as_default},
                            });
}

void add_model(Table& table, ModelOptions& o) {
  table.insert(table.end(), {
                                {.name = "gated",
                                 .value = Switch{&o.gated},
                                 .help = "gated attention",
                                 .group = kModel,
                                 .recall = Recall::must_agree},
                                {.name = "attention-dim",
                                 .value = Integer{&o.attention_dim, 1, 65'536},
                                 .help = "width of the attention layer",
                                 .group = kModel,
                                 .recall = Recall::must_agree},
                                {.name = "dense",
                                 .value = IntegerList{&o.dense, 1, 65'536, 8},
                                 .help = "widths of the dense layers before it",
                                 .group = kModel,
                                 .recall = Recall::must_agree},
                                {.name = "l2",
                                 .value = Real{&o.l2, 0, kLargestReal},
                                 .help = "L2 penalty on the attention weights",
                                 .group = kModel,
                                 .recall = Recall::must_agree},
                            });
}

void add_fit(Table& table, FitOptions& o) {
  table.insert(table.end(), {
                                {.name = "ensemble",
                                 .value = Integer{&o.ensemble, 1, 1000},
                                 .help = "models to train and average",
                                 .group = kTraining},
                                {.name = "epochs",
                                 .value = Integer{&o.epochs, 1, kMany},
                                 .help = "passes over the training bags, at most",
                                 .group = kTraining},
                                {.name = "batch-size",
                                 .value = Integer{&o.batch_size, 1, kMany},
                                 .help = "bags in a step",
                                 .group = kTraining},
                                {.name = "learning-rate",
                                 .value = Real{&o.learning_rate, 0, kLargestReal, false},
                                 .help = "step size of Adam",
                                 .group = kTraining},
                                {.name = "early-stopping",
                                 .value = Switch{&o.early_stopping},
                                 .help = "stop when the validation loss no longer falls",
                                 .group = kTraining},
                                {.name = "patience",
                                 .value = Integer{&o.patience, 0, kMany},
                                 .help = "epochs without a lower validation loss before that",
                                 .group = kTraining},
                                {.name = "class-weight",
                                 .value = Switch{&o.class_weight},
                                 .help = "weigh both classes alike in the loss",
                                 .group = kTraining},
                                {.name = "run-eagerly",
                                 .value = Switch{&o.run_eagerly},
                                 .help = "compute operation by operation, without programs",
                                 .group = kTraining},
                            });
}

void add_compute(Table& table, ComputeOptions& o) {
  table.insert(table.end(), {
                                {.name = "seed",
                                 .value = Integer{&o.seed, 0, INT64_MAX},
                                 .help = "start of all random numbers",
                                 .group = kRun,
                                 .recall = Recall::as_default},
                                {.name = "threads",
                                 .value = Integer{&o.threads, 1, 1024},
                                 .help = "processors to use; the results do not depend on it",
                                 .group = kRun},
                            });
}

void add_plot_size(Table& table, std::int64_t& plot_size) {
  table.push_back({.name = "plot-size",
                   .value = Integer{&plot_size, 1, 100},
                   .help = "bags of each class in a picture",
                   .group = kRun,
                   .recall = Recall::as_default});
}

void add_weights(Table& table, std::string& weights) {
  table.push_back({.name = "weights",
                   .value = Text{&weights, "path"},
                   .help = "a weights file, or the folder of a run",
                   .group = kModel,
                   .positional = true,
                   .required = true});
}

void add_out(Table& table, std::string& out, std::string_view kind, std::string_view help) {
  table.push_back({.name = "out", .value = Text{&out, kind}, .help = help, .group = kRun});
}

Table table_of(TrainOptions& o) {
  Table table;
  add_dataset(table, o.dataset);
  add_bags(table, o.bags);
  add_model(table, o.model);
  add_fit(table, o.fit);
  add_out(table, o.out, "folder", "folder for weights, history, figures and pictures");
  add_plot_size(table, o.plot_size);
  table.push_back({.name = "profile",
                   .value = Switch{&o.profile},
                   .help = "say where the time of the steps goes; profile.json in --out",
                   .group = kRun});
  add_compute(table, o.compute);
  add_common(table, o.common);
  return table;
}

Table table_of(ApplyOptions& o) {
  Table table;
  add_weights(table, o.weights);
  add_model(table, o.model);
  add_dataset(table, o.dataset);
  add_folder_of_bags(table, o.data);
  add_bags(table, o.bags);
  add_out(table, o.out, "file", "CSV file: bag, label, probabilities, attention");
  add_compute(table, o.compute);
  add_common(table, o.common);
  return table;
}

Table table_of(PlotOptions& o) {
  Table table;
  add_weights(table, o.weights);
  add_model(table, o.model);
  add_dataset(table, o.dataset);
  add_bags(table, o.bags);
  add_out(table, o.out, "folder", "folder for the pictures, instead of that of the weights");
  add_plot_size(table, o.plot_size);
  add_compute(table, o.compute);
  add_common(table, o.common);
  return table;
}

Table table_of(SummaryOptions& o) {
  Table table;
  add_weights(table, o.weights);
  add_common(table, o.common);
  return table;
}

Table table_of(FetchOptions& o) {
  Table table = {positional(dataset_option(o.dataset))};
  add_data_dir(table, o.dataset);
  table.push_back({.name = "mirror",
                   .value = Url{&o.mirror},
                   .help = "address of the folder to download from",
                   .group = kData});
  add_common(table, o.common);
  return table;
}

Table table_of(InspectOptions& o) {
  Table table = {positional(dataset_option(o.dataset))};
  add_data_dir(table, o.dataset);
  add_verify(table, o.dataset);
  add_folder_of_bags(table, o.data);
  add_common(table, o.common);
  return table;
}

Table table_of(InfoOptions& o) {
  Table table;
  add_common(table, o.common);
  return table;
}

template <std::size_t... Index>
std::vector<Command> one_of_each(std::index_sequence<Index...>) {
  return {std::variant_alternative_t<Index, Command>{}...};
}

}  // namespace

std::vector<Command> every_command() {
  return one_of_each(std::make_index_sequence<std::variant_size_v<Command>>{});
}

Command default_of(const Command& command) { return every_command()[command.index()]; }

std::vector<Option> options_of(Command& command) {
  return std::visit([](auto& options) { return table_of(options); }, command);
}

const CommonOptions& common_options(const Command& command) {
  return std::visit([](const auto& options) -> const CommonOptions& { return options.common; },
                    command);
}

CommonOptions& common_options(Command& command) {
  return std::visit([](auto& options) -> CommonOptions& { return options.common; }, command);
}

std::vector<std::string> flag_names(Command command) {
  std::vector<std::string> flags = {"--help"};
  for (const Option& option : options_of(command)) {
    flags.push_back(flag_name(option));
    if (std::holds_alternative<Switch>(option.value)) flags.push_back("--no-" + option.name);
  }
  return flags;
}

nlohmann::json configuration(Command command) {
  nlohmann::json values = nlohmann::json::object();
  for (const Option& option : options_of(command)) {
    if (option.in_file) values[file_key(option)] = to_json(option.value);
  }
  return values;
}

}  // namespace mil
