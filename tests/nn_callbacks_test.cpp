// Callbacks against Keras 3.15.1: traces, texts and tables are what keras.callbacks.X does when its
// events are called with the same logs; progress lines are what keras.utils.Progbar prints under a
// clock that was replaced.
#include "nn/callbacks.h"
#include "nn/layers.h"
#include "nn/model.h"
#include "tensor/ops.h"
#include "tests/support.h"

#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

using nn::Direction;
using nn::Logs;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

nn::Model small_model() {
  const auto x = nn::Input({2});
  return nn::Model(x, nn::Dense(2)(x));
}

void fill_weights(nn::Model& model, double value) {
  model.set_weights({full({2, 2}, value), full({2}, value)});
}

/// A run as fit() sets it up, with the texts that callbacks print.
struct Stage {
  explicit Stage(nn::Callback& callback, nn::Model* model = nullptr) : callback(callback) {
    run.model = model;
    run.output = &output;
    run.keys = {{"loss", Direction::down},
                {"accuracy", Direction::up},
                {"val_loss", Direction::down},
                {"val_accuracy", Direction::up},
                {"score", Direction::none}};
    callback.set_run(&run);
  }
  ~Stage() { callback.set_run(nullptr); }

  nn::Callback& callback;
  nn::Run run;
  std::ostringstream output;
};

/// What Keras does with a sequence of values.
struct Decision {
  int epochs;            // that ran
  double best;           // value
  int best_epoch;        // from 0
  double final_weights;  // epoch whose weights the model has in the end
  std::string text;
};

const std::vector<double> kFallRise = {1.0, 0.8, 0.9, 0.7, 0.71, 0.72, 0.73};
const std::vector<double> kUp = {0.5, 0.6, 0.55, 0.61, 0.6, 0.6, 0.62};

std::string stopped(int epoch) { return "Epoch " + std::to_string(epoch) + ": early stopping\n"; }
std::string restored(int epoch) {
  return "Restoring model weights from the end of the best epoch: " + std::to_string(epoch) + ".\n";
}

void check_stopping(const char* what, nn::EarlyStoppingOptions options,
                    const std::vector<double>& values, const Decision& expected) {
  CAPTURE(what);
  nn::Model model = small_model();
  options.verbose = 1;
  const auto stopping = nn::EarlyStopping(options);
  Stage stage(*stopping, &model);
  stopping->on_train_begin();
  int epoch = 0;
  for (const double value : values) {
    fill_weights(model, epoch);
    Logs logs{{options.monitor, value}};
    stopping->on_epoch_end(epoch++, logs);
    if (stage.run.stop_training) break;
  }
  stopping->on_train_end({});
  CHECK(epoch == expected.epochs);
  CHECK(stopping->best() == expected.best);
  CHECK(stopping->best_epoch() == expected.best_epoch);
  CHECK(model.get_weights()[1].data<float>()[0] == expected.final_weights);
  CHECK(stage.output.str() == expected.text);
}

TEST_CASE("callbacks: EarlyStopping decides as Keras does") {
  const std::vector<double> nan_inside = {1.0, kNaN, 0.9, kNaN, kNaN};
  check_stopping("patience 2", {.patience = 2}, kFallRise, {6, 0.7, 3, 5, stopped(6)});
  check_stopping("patience 0", {.patience = 0}, kFallRise, {3, 0.8, 1, 2, stopped(3)});
  check_stopping("restore", {.patience = 1, .restore_best_weights = true}, kFallRise,
                 {3, 0.8, 1, 1, stopped(3) + restored(2)});
  check_stopping("restore at the end", {.patience = 10, .restore_best_weights = true}, kFallRise,
                 {7, 0.7, 3, 3, restored(4)});
  check_stopping("min_delta", {.min_delta = 0.15, .patience = 2}, kFallRise,
                 {4, 0.8, 1, 3, stopped(4)});
  check_stopping("negative min_delta",
                 {.min_delta = -0.15, .patience = 2, .restore_best_weights = true}, kFallRise,
                 {4, 0.8, 1, 1, stopped(4) + restored(2)});
  check_stopping("baseline", {.patience = 3, .baseline = 0.75, .restore_best_weights = true},
                 kFallRise, {3, 0.8, 1, 1, stopped(3) + restored(2)});
  check_stopping("baseline never met",
                 {.patience = 2, .baseline = 0.1, .restore_best_weights = true}, kFallRise,
                 {3, 0.8, 1, 1, stopped(3) + restored(2)});
  check_stopping("start_from_epoch",
                 {.patience = 1, .restore_best_weights = true, .start_from_epoch = 3}, kFallRise,
                 {5, 0.7, 3, 3, stopped(5) + restored(4)});
  check_stopping("flat", {.patience = 2}, {0.5, 0.5, 0.5, 0.5}, {3, 0.5, 0, 2, stopped(3)});
  check_stopping("flat, patience 0", {.patience = 0}, {0.5, 0.5, 0.5}, {2, 0.5, 0, 1, stopped(2)});
  check_stopping("below float32", {.patience = 1}, {0.5, 0.5 - 1e-9, 0.49999},
                 {2, 0.5, 0, 1, stopped(2)});
  check_stopping("infinity first", {.patience = 2, .restore_best_weights = true},
                 {kInfinity, kInfinity, 1.0, 2.0, 3.0}, {5, 1.0, 2, 2, stopped(5) + restored(3)});
  check_stopping("NaN between", {.patience = 2, .restore_best_weights = true}, nan_inside,
                 {5, 0.9, 2, 2, stopped(5) + restored(3)});
  check_stopping("accuracy rises",
                 {.monitor = "val_accuracy", .patience = 2, .restore_best_weights = true}, kUp,
                 {6, 0.61, 3, 3, stopped(6) + restored(4)});
  check_stopping("accuracy with min_delta",
                 {.monitor = "accuracy", .min_delta = 0.02, .patience = 2}, kUp,
                 {4, 0.6, 1, 3, stopped(4)});
  check_stopping("mode max", {.patience = 2, .mode = nn::MonitorMode::max}, kUp,
                 {6, 0.61, 3, 5, stopped(6)});
}

TEST_CASE("callbacks: EarlyStopping never takes NaN for the best value") {
  nn::Model model = small_model();
  const auto stopping = nn::EarlyStopping({.patience = 2, .restore_best_weights = true});
  Stage stage(*stopping, &model);
  stopping->on_train_begin();
  int epoch = 0;
  for (const double value : {kNaN, 2.0, 3.0, 4.0}) {
    fill_weights(model, epoch);
    Logs logs{{"val_loss", value}};
    stopping->on_epoch_end(epoch++, logs);
  }
  CHECK(stage.run.stop_training);
  CHECK(stopping->best() == 2.0);
  CHECK(stopping->stopped_epoch() == 3);
  stopping->on_train_end({});
  CHECK(model.get_weights()[1].data<float>()[0] == 1);
}

TEST_CASE("callbacks: EarlyStopping starts afresh with each fit and skips epochs without a value") {
  const auto stopping = nn::EarlyStopping({.patience = 1});
  Stage stage(*stopping);
  for (int fit = 0; fit < 2; ++fit) {
    stage.run.stop_training = false;
    stopping->on_train_begin();
    CHECK_FALSE(stopping->best().has_value());
    Logs first{{"val_loss", 1.0}}, without{{"loss", 1.0}}, second{{"val_loss", 1.5}};
    stopping->on_epoch_end(0, first);
    stopping->on_epoch_end(1, without);
    CHECK_FALSE(stage.run.stop_training);
    stopping->on_epoch_end(2, second);
    CHECK(stage.run.stop_training);
  }
}

TEST_CASE("callbacks: an unknown or undirected monitor is an error before training") {
  const auto unknown = nn::EarlyStopping({.monitor = "val_acc"});
  Stage stage(*unknown);
  CHECK_THROWS_WITH_AS(unknown->on_train_begin(),
                       "[EarlyStopping] there is no \"val_acc\" to monitor; the logs will hold: "
                       "loss, accuracy, val_loss, val_accuracy, score",
                       ValueError);
  const auto undirected =
      nn::ModelCheckpoint("x.weights.h5", {.monitor = "score", .save_best_only = true});
  Stage second(*undirected);
  CHECK_THROWS_WITH_AS(
      undirected->on_train_begin(),
      "[ModelCheckpoint] whether greater or smaller values of \"score\" are better is not known",
      ValueError);
  CHECK_THROWS_WITH_AS(nn::EarlyStopping({.patience = -1}),
                       "[EarlyStopping] patience -1; expected 0 or more epochs", ValueError);
}

// ---- ModelCheckpoint

std::string checkpoint_text(const std::string& key, const nn::ModelCheckpointOptions& options,
                            const std::vector<double>& values, const std::string& folder,
                            std::vector<std::string>* files = nullptr) {
  nn::Model model = small_model();
  nn::ModelCheckpointOptions verbose = options;
  verbose.verbose = 1;
  const auto checkpoint =
      nn::ModelCheckpoint(folder + "/m-{epoch:02d}-{" + key + ":.2f}.weights.h5", verbose);
  Stage stage(*checkpoint, &model);
  checkpoint->on_train_begin();
  for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
    checkpoint->on_epoch_begin(static_cast<int>(epoch));
    Logs logs{{"loss", 1.0}, {key, values[epoch]}};
    checkpoint->on_epoch_end(static_cast<int>(epoch), logs);
    if (files) files->push_back(checkpoint->saved_path().filename().string());
  }
  return stage.output.str();
}

TEST_CASE("callbacks: ModelCheckpoint saves the best and says so in Keras's words") {
  const test::TemporaryDirectory folder;
  const std::string at = folder.path().string();
  std::vector<std::string> files;
  CHECK(checkpoint_text("val_loss", {.save_best_only = true}, {0.9, 0.8, 0.85, 0.7}, at, &files) ==
        "\nEpoch 1: val_loss improved from None to 0.90000, saving model to " + at +
            "/m-01-0.90.weights.h5\n\nEpoch 1: finished saving model to " + at +
            "/m-01-0.90.weights.h5\n\nEpoch 2: val_loss improved from 0.90000 to 0.80000, saving "
            "model to " +
            at + "/m-02-0.80.weights.h5\n\nEpoch 2: finished saving model to " + at +
            "/m-02-0.80.weights.h5\n\nEpoch 3: val_loss did not improve from 0.80000\n\nEpoch 4: "
            "val_loss improved from 0.80000 to 0.70000, saving model to " +
            at + "/m-04-0.70.weights.h5\n\nEpoch 4: finished saving model to " + at +
            "/m-04-0.70.weights.h5\n");
  CHECK(files == std::vector<std::string>{"m-01-0.90.weights.h5", "m-02-0.80.weights.h5",
                                          "m-02-0.80.weights.h5", "m-04-0.70.weights.h5"});
  for (const std::string& file : files) CHECK(std::filesystem::exists(folder / file));
  CHECK_FALSE(std::filesystem::exists(folder / "m-03-0.85.weights.h5"));
}

TEST_CASE("callbacks: ModelCheckpoint saves every epoch, or what beats a threshold") {
  const test::TemporaryDirectory folder;
  const std::string at = (folder / "new" / "deep").string();
  CHECK(checkpoint_text("val_loss", {}, {0.9}, at) ==
        "\nEpoch 1: saving model to " + at +
            "/m-01-0.90.weights.h5\n\nEpoch 1: finished saving "
            "model to " +
            at + "/m-01-0.90.weights.h5\n");
  CHECK(checkpoint_text("val_loss", {.save_best_only = true, .initial_value_threshold = 0.5},
                        {0.9, 0.8, 0.4}, at) ==
        "\nEpoch 1: val_loss did not improve from 0.50000\n\nEpoch 2: val_loss did not improve "
        "from 0.50000\n\nEpoch 3: val_loss improved from 0.50000 to 0.40000, saving model to " +
            at + "/m-03-0.40.weights.h5\n\nEpoch 3: finished saving model to " + at +
            "/m-03-0.40.weights.h5\n");
  CHECK(checkpoint_text("val_loss", {.save_best_only = true}, {kNaN}, at) ==
        "\nEpoch 1: val_loss did not improve from None\n");
}

TEST_CASE("callbacks: ModelCheckpoint counts batches across epochs") {
  const test::TemporaryDirectory folder;
  nn::Model model = small_model();
  const auto checkpoint = nn::ModelCheckpoint(
      (folder / "b-{epoch}-{batch:02d}-{loss}.weights.h5").string(), {.save_every_batches = 3});
  Stage stage(*checkpoint, &model);
  checkpoint->on_train_begin();
  const nn::BatchLogs logs([] { return 1.0; }, [] { return Logs{{"loss", 1.0}}; });
  for (int epoch = 0; epoch < 2; ++epoch) {
    checkpoint->on_epoch_begin(epoch);
    for (int batch = 0; batch < 4; ++batch) checkpoint->on_train_batch_end(batch, logs);
  }
  CHECK(std::filesystem::exists(folder / "b-1-03-1.0.weights.h5"));
  CHECK(std::filesystem::exists(folder / "b-2-02-1.0.weights.h5"));
}

TEST_CASE("callbacks: ModelCheckpoint keeps the older generation and writes root attributes") {
  const test::TemporaryDirectory folder;
  nn::Model model = small_model();
  const auto path = folder / "best.weights.h5";
  const auto checkpoint =
      nn::ModelCheckpoint(path.string(), {.root_attributes = {{"milgrad", "{\"l2\":0.01}"}}});
  Stage stage(*checkpoint, &model);
  checkpoint->on_train_begin();
  for (int epoch = 0; epoch < 2; ++epoch) {
    fill_weights(model, epoch);
    checkpoint->on_epoch_begin(epoch);
    Logs logs{{"val_loss", 1.0}};
    checkpoint->on_epoch_end(epoch, logs);
  }
  CHECK(nn::read_root_attributes(path).at("milgrad") == "{\"l2\":0.01}");
  model.load_weights(path);
  CHECK(model.get_weights()[1].data<float>()[0] == 1);
  model.load_weights(folder / "best.weights.h5.1");
  CHECK(model.get_weights()[1].data<float>()[0] == 0);
}

TEST_CASE("callbacks: ModelCheckpoint refuses a path it could not fill in before training") {
  CHECK_THROWS_WITH_AS(nn::ModelCheckpoint("best.keras"),
                       "[ModelCheckpoint] the path best.keras does not end in .weights.h5",
                       ValueError);
  CHECK_THROWS_AS(
      nn::ModelCheckpoint("x.weights.h5", {.save_best_only = true, .save_every_batches = 5}),
      ValueError);
  for (const char* path : {"{val_auc}.weights.h5", "{epoch:q}.weights.h5", "{epoch.weights.h5",
                           "{batch}.weights.h5"}) {
    CAPTURE(path);
    const auto checkpoint = nn::ModelCheckpoint(path);
    Stage stage(*checkpoint);
    CHECK_THROWS_AS(checkpoint->on_train_begin(), ValueError);
  }
  const auto checkpoint = nn::ModelCheckpoint("{val_auc:.2f}.weights.h5");
  Stage stage(*checkpoint);
  CHECK_THROWS_WITH_AS(checkpoint->on_train_begin(),
                       "[ModelCheckpoint] the path \"{val_auc:.2f}.weights.h5\" cannot be filled "
                       "in: [logs] there is no \"val_auc\"; the names are: loss, accuracy, "
                       "val_loss, val_accuracy, score",
                       ValueError);
}

TEST_CASE("callbacks: ModelCheckpoint by batches refuses fields that only epochs have") {
  const auto checkpoint =
      nn::ModelCheckpoint("{val_loss:.2f}.weights.h5", {.save_every_batches = 2});
  Stage stage(*checkpoint);
  CHECK_THROWS_WITH_AS(checkpoint->on_train_begin(),
                       "[ModelCheckpoint] the path \"{val_loss:.2f}.weights.h5\" cannot be filled "
                       "in: [logs] there is no \"val_loss\"; the names are: loss, accuracy, score",
                       ValueError);
}

TEST_CASE("callbacks: ModelCheckpoint of the best passes over epochs without validation") {
  const test::TemporaryDirectory folder;
  nn::Model model = small_model();
  const auto checkpoint = nn::ModelCheckpoint((folder / "{val_loss:.1f}.weights.h5").string(),
                                              {.save_best_only = true});
  Stage stage(*checkpoint, &model);
  checkpoint->on_train_begin();
  Logs trained{{"loss", 2.0}}, validated{{"loss", 2.0}, {"val_loss", 1.5}};
  checkpoint->on_epoch_end(0, trained);
  CHECK_FALSE(checkpoint->saved_epoch());
  checkpoint->on_epoch_end(1, validated);
  CHECK(std::filesystem::exists(folder / "1.5.weights.h5"));
}

// ---- CSVLogger

void log_table(const std::filesystem::path& path, const nn::CsvLoggerOptions& options, int epoch,
               const std::vector<Logs>& rows) {
  const auto logger = nn::CSVLogger(path, options);
  logger->on_train_begin();
  for (Logs logs : rows) logger->on_epoch_end(epoch++, logs);
}

TEST_CASE("callbacks: CSVLogger writes Keras's table") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "history.csv";
  log_table(path, {}, 0,
            {{{"loss", 0.5}, {"accuracy", 1.0}},
             {{"loss", 1e-5}, {"accuracy", 1e16}},
             {{"loss", kNaN}, {"zzz", 3.0}}});
  const std::string first =
      "epoch,accuracy,loss,val_accuracy,val_loss\r\n0,1.0,0.5,NA,NA\r\n1,1e+16,1e-05,NA,NA\r\n"
      "2,NA,nan,NA,NA\r\n";
  CHECK(test::read_file(path) == first);
  log_table(path, {.separator = ';', .append = true}, 3,
            {{{"val_loss", 0.1}, {"loss", 0.30000000000000004}, {"lr, x", 1.0}}});
  CHECK(test::read_file(path) == first + "3;0.30000000000000004;1.0;0.1\r\n");
  log_table(path, {.separator = ';'}, 3, {{{"val_loss", 0.1}, {"loss", 0.3}, {"a;\"b", 1.0}}});
  CHECK(test::read_file(path) == "epoch;\"a;\"\"b\";loss;val_loss\r\n3;1.0;0.3;0.1\r\n");
}

TEST_CASE("callbacks: CSVLogger leaves no partial table and reports a folder that is missing") {
  const test::TemporaryDirectory folder;
  const auto logger = nn::CSVLogger(folder / "missing" / "history.csv");
  logger->on_train_begin();
  Logs logs{{"loss", 1.0}};
  CHECK_THROWS_AS(logger->on_epoch_end(0, logs), WriteError);
}

// ---- TerminateOnNaN, LambdaCallback

TEST_CASE("callbacks: TerminateOnNaN stops, or throws where asked to") {
  for (const double value : {kNaN, kInfinity, -kInfinity}) {
    const nn::BatchLogs logs([=] { return value; }, [] { return Logs(); });
    const auto stops = nn::TerminateOnNaN();
    Stage stage(*stops);
    stops->on_train_batch_end(2, nn::BatchLogs([] { return 1e30; }, [] { return Logs(); }));
    CHECK_FALSE(stage.run.stop_training);
    stops->on_train_batch_end(2, logs);
    CHECK(stage.run.stop_training);
    CHECK(stage.output.str() == "Batch 2: Invalid loss, terminating training\n");

    const auto throws = nn::TerminateOnNaN({.raise_error = true});
    Stage other(*throws);
    throws->on_epoch_begin(4);
    CHECK_THROWS_AS(throws->on_train_batch_end(2, logs), NonFiniteError);
  }
  const auto throws = nn::TerminateOnNaN({.raise_error = true});
  Stage stage(*throws);
  throws->on_epoch_begin(4);
  CHECK_THROWS_WITH(
      throws->on_train_batch_end(2, nn::BatchLogs([] { return kInfinity; }, [] { return Logs(); })),
      "[TerminateOnNaN] the loss is inf after batch 3 of epoch 5");
}

TEST_CASE("callbacks: LambdaCallback hands events on") {
  std::string events;
  const auto callback = nn::LambdaCallback({
      .on_train_begin = [&](nn::Run&) { events += "begin "; },
      .on_epoch_end =
          [&](nn::Run& run, int epoch, Logs& logs) {
            events += "end" + std::to_string(epoch);
            logs.set("extra", 7);
            run.stop_training = true;
          },
  });
  Stage stage(*callback);
  callback->on_train_begin();
  callback->on_epoch_begin(0);
  Logs logs;
  callback->on_epoch_end(0, logs);
  CHECK(events == "begin end0");
  CHECK(logs["extra"] == 7);
  CHECK(stage.run.stop_training);
}

// ---- logs

TEST_CASE("callbacks: logs keep their order and name what is missing") {
  Logs logs{{"loss", 1}, {"accuracy", 2}};
  logs.set("loss", 3);
  logs.set("val_loss", 4);
  CHECK(logs.names() == "loss, accuracy, val_loss");
  CHECK(logs.sorted().names() == "accuracy, loss, val_loss");
  CHECK(logs["loss"] == 3);
  CHECK_THROWS_WITH_AS(logs["acc"],
                       "[logs] there is no \"acc\"; the names are: loss, accuracy, val_loss",
                       ValueError);
  nn::History history;
  history.append(0, logs);
  CHECK_THROWS_WITH_AS(history["acc"],
                       "[history] there is no \"acc\"; the names are: loss, accuracy, val_loss",
                       ValueError);
  CHECK(nn::number_text(1) == "1.0");
  CHECK(nn::number_text(0.1) == "0.1");
  CHECK(nn::number_text(1e-5) == "1e-05");
  CHECK(nn::number_text(1e16) == "1e+16");
  CHECK(nn::number_text(kNaN) == "nan");
  CHECK(nn::number_text(-kInfinity) == "-inf");
}

// ---- progress

struct Step {
  double seconds;  // since the start
  int step;
  Logs values;
};

std::string progress(int target, const std::vector<Step>& steps, nn::TerminalStyle style) {
  std::ostringstream output;
  double now = 100;
  nn::Progbar bar(output, {.target = target, .style = style, .now = [&] { return now; }});
  for (std::size_t i = 0; i < steps.size(); ++i) {
    now = 100 + steps[i].seconds;
    if (i + 1 < steps.size())
      bar.update(steps[i].step, [&] { return steps[i].values; });
    else
      bar.finish(steps[i].values);
  }
  return output.str();
}

std::string repeat(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

const std::string kEmptyBar = " \x1b[37m" + repeat("━", 20) + "\x1b[0m \x1b[1m";
const std::string kFullBar = " \x1b[32m" + repeat("━", 20) + "\x1b[0m\x1b[37m\x1b[0m \x1b[1m";
constexpr nn::TerminalStyle kTerminal{.terminal = true, .colour = true, .utf8 = true};

std::vector<Step> thousand_steps() {
  return {
      {0.5, 1, {{"accuracy", 0.5}, {"loss", 0.25}}},
      {0.52, 2, {{"accuracy", 0.5}, {"loss", 0.5}}},
      {0.6, 3, {{"accuracy", 2.0 / 3}, {"loss", 0.0005}}},
      {0.9, 12, {{"accuracy", -2.0 / 3}, {"loss", 1234.5}}},
      {2.6, 1000, {{"accuracy", 0.9}, {"loss", 0.1}, {"val_accuracy", 0.8}, {"val_loss", kNaN}}}};
}

TEST_CASE("callbacks: the progress line on a terminal is Keras's, byte for byte") {
  CHECK(progress(1000, thousand_steps(), kTerminal) ==
        "\r\x1b[1m   1/1000\x1b[0m" + kEmptyBar +
            "8:19\x1b[0m 500ms/step - accuracy: 0.5000 - loss: 0.2500" + repeat("\b", 80) +
            "\r\x1b[1m   3/1000\x1b[0m" + kEmptyBar +
            "49s\x1b[0m 50ms/step - accuracy: 0.6667 - loss: 5.0000e-04" + repeat("\b", 82) +
            "\r\x1b[1m  12/1000\x1b[0m" + kEmptyBar +
            "35s\x1b[0m 36ms/step - accuracy: -0.6667 - loss: 1234.5000" + repeat("\b", 82) +
            "\r\x1b[1m1000/1000\x1b[0m" + kFullBar +
            "3s\x1b[0m 2ms/step - accuracy: 0.9000 - loss: 0.1000 - val_accuracy: 0.8000 - "
            "val_loss: nan\n");
  CHECK(progress(1, {{0.0001, 1, {{"loss", 0.5}}}, {0.0002, 1, {{"loss", 0.5}}}}, kTerminal) ==
        "\r\x1b[1m1/1\x1b[0m" + kFullBar + "0s\x1b[0m 100us/step - loss: 0.5000" +
            repeat("\b", 53) + "\r\x1b[1m1/1\x1b[0m" + kFullBar +
            "0s\x1b[0m 200us/step - loss: 0.5000\n");
  CHECK(progress(7000, {{1, 1, {}}, {2, 2, {}}, {70, 3, {}}, {3700, 7000, {}}}, kTerminal) ==
        "\r\x1b[1m   1/7000\x1b[0m" + kEmptyBar + "1:56:39\x1b[0m 1s/step" + repeat("\b", 46) +
            "\r\x1b[1m   2/7000\x1b[0m" + kEmptyBar + "1:56:38\x1b[0m 1s/step" + repeat("\b", 46) +
            "\r\x1b[1m   3/7000\x1b[0m" + kEmptyBar + "67:03:16\x1b[0m 34s/step" +
            repeat("\b", 48) + "\r\x1b[1m7000/7000\x1b[0m" + kFullBar +
            "3700s\x1b[0m 529ms/step \n");
  CHECK(progress(2, {{3, 1, {}}, {3, 2, {}}, {3.2, 2, {}}}, kTerminal) ==
        "\r\x1b[1m1/2\x1b[0m \x1b[32m" + repeat("━", 10) + "\x1b[0m\x1b[37m" + repeat("━", 10) +
            "\x1b[0m \x1b[1m3s\x1b[0m 3s/step" + repeat("\b", 35) + "\r\x1b[1m2/2\x1b[0m" +
            kFullBar + "3s\x1b[0m 200ms/step\n");
}

TEST_CASE("callbacks: off a terminal one plain line is written") {
  const std::string line = progress(1000, thousand_steps(), {});
  CHECK(line ==
        "1000/1000 - 3s - 3ms/step - accuracy: 0.9000 - loss: 0.1000 - val_accuracy: 0.8000 - "
        "val_loss: nan\n");
  CHECK(line.find('\x1b') == std::string::npos);
}

TEST_CASE("callbacks: without colour or UTF-8 the bar still shows what is done") {
  const std::vector<Step> steps{{3, 1, {}}, {3.2, 2, {}}};
  CHECK(progress(2, steps, {.terminal = true, .colour = false, .utf8 = true}) ==
        "\r1/2 " + repeat("━", 10) + repeat("─", 10) + " 3s 3s/step" + repeat("\b", 35) + "\r2/2 " +
            repeat("━", 20) + " 3s 200ms/step\n");
  CHECK(progress(2, steps, {.terminal = true, .colour = false, .utf8 = false}) ==
        "\r1/2 " + repeat("=", 10) + repeat("-", 10) + " 3s 3s/step" + repeat("\b", 35) + "\r2/2 " +
            repeat("=", 20) + " 3s 200ms/step\n");
  CHECK_FALSE(nn::terminal_style(std::ostringstream()).terminal);
}

TEST_CASE("callbacks: ProgbarLogger shows epochs by verbosity and is silent on validation") {
  const auto texts = [](int verbose, bool terminal) {
    double now = 0;
    const auto logger = nn::ProgbarLogger(
        {.style = nn::TerminalStyle{.terminal = terminal}, .now = [&] { return now; }});
    Stage stage(*logger);
    stage.run.verbose = verbose;
    stage.run.epochs = 2;
    stage.run.steps = 2;
    const nn::BatchLogs logs([] { return 0.5; }, [] { return Logs{{"loss", 0.5}}; });
    logger->on_train_begin();
    logger->on_epoch_begin(0);
    now = 2;
    logger->on_train_batch_end(0, logs);
    logger->on_test_begin();
    logger->on_test_batch_end(0, logs);
    logger->on_test_end({});
    now = 3;
    Logs epoch{{"loss", 0.25}, {"val_loss", 0.75}};
    logger->on_epoch_end(0, epoch);
    logger->on_train_end({});
    return stage.output.str();
  };
  CHECK(texts(1, true) == "Epoch 1/2\n\r1/2 " + repeat("━", 10) + repeat("─", 10) +
                              " 2s 2s/step - loss: 0.5000" + repeat("\b", 50) + "\r2/2 " +
                              repeat("━", 20) + " 3s 1s/step - loss: 0.2500 - val_loss: 0.7500\n");
  CHECK(texts(1, false) == "Epoch 1/2 - 2/2 - 3s - 2s/step - loss: 0.2500 - val_loss: 0.7500\n");
  CHECK(texts(2, true) == "Epoch 1/2\n2/2 - 3s - 2s/step - loss: 0.2500 - val_loss: 0.7500\n");
}

TEST_CASE("callbacks: a line that was begun is ended when training breaks off") {
  std::ostringstream output;
  {
    nn::Progbar bar(output, {.target = 2, .style = {.terminal = true}, .now = [] { return 1.0; }});
    bar.update(1, [] { return Logs(); });
  }
  CHECK(output.str().back() == '\n');
}

}  // namespace
}  // namespace milgrad
