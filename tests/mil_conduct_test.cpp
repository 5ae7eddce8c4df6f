// How the program mil behaves where things go wrong, are interrupted or are piped: exit codes, what
// stays on the disk, the order of what is said.
#include "examples/mil/bags.h"
#include "examples/mil/trained.h"
#include "nn/layers.h"
#include "nn/model.h"
#include "tensor/random.h"
#include "tests/mil_support.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using milgrad::test::Arguments;
using milgrad::test::contains;
using milgrad::test::Outcome;
using milgrad::test::run;
using milgrad::test::ToyRuns;
using nlohmann::json;

/// The command with both outputs in one pipe, as `command 2>&1`.
std::string piped_together(const Arguments& command) {
  Arguments shell{"sh", "-c", "\"$@\" 2>&1", "sh"};
  shell.insert(shell.end(), command.begin(), command.end());
  return run(shell).out;
}

/// What the command writes to a terminal of its own that has 120 columns.
std::string on_terminal(Arguments command, const Arguments& variables) {
  Arguments words{"env", "-u", "NO_COLOR", "-u", "COLUMNS", "TERM=xterm", "LC_ALL=C.UTF-8"};
  words.insert(words.end(), variables.begin(), variables.end());
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  winsize size{.ws_row = 40, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  return text;
}

/// The places of the parts, one behind the other.
void check_order(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t at = 0;
  for (const std::string& part : parts) {
    CAPTURE(part);
    const std::size_t found = text.find(part, at);
    REQUIRE(found != std::string::npos);
    at = found + part.size();
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void damage(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(200'000);
  stream << "damaged";
}

bool holds_temporary_file(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (contains(entry.path().filename().string(), ".tmp.")) return true;
  return false;
}

Arguments limited(const std::string& limit, const Arguments& command) {
  Arguments shell{"bash", "-c", "ulimit -f " + limit + "; exec \"$@\"", "bash"};
  shell.insert(shell.end(), command.begin(), command.end());
  return shell;
}

}  // namespace

TEST_CASE("mil train: a loss that becomes NaN ends with 1 and keeps the best weights") {
  const ToyRuns runs;
  const Arguments diverging{"--learning-rate", "1e11", "--batch-size",       "150",
                            "--epochs",        "60",   "--no-early-stopping"};
  const Outcome nan = run(runs.train("run", diverging));
  CAPTURE(nan.err);
  CHECK(nan.exit_code == 1);
  CHECK(contains(nan.err, "mil: error: [TerminateOnNaN] the loss is "));
  CHECK(contains(nan.err, "hint: look for NaN or infinite inputs, or lower the learning rate\n"));
  check_order(nan.err, {"best epoch ", "best.weights.h5\n", "mil: error: "});
  CHECK(lines_of(runs.text("run/history.csv")).size() > 1);
  CHECK(runs.text("run/curves.png").substr(1, 3) == "PNG");
  CHECK(run(runs.command("predict", {runs.path("run")})).exit_code == 0);
}

TEST_CASE("mil train: a validation loss that is never finite ends with 1") {
  const ToyRuns runs;
  const Outcome nan =
      run(runs.train("run", {"--learning-rate", "1e30", "--batch-size", "150", "--epochs", "1"}));
  CHECK(nan.exit_code == 1);
  CHECK(contains(nan.err, "no epoch had a validation loss that is a number, so no weights"));
  CHECK(contains(nan.err,
                 "mil: error: [train] no epoch had a finite validation loss; expected one "
                 "at least\nhint: lower the learning rate\n"));
  CHECK_FALSE(fs::exists(runs.folder / "run/metrics.json"));
}

TEST_CASE("mil train: metrics.json holds what it promises, nested, accuracies as fractions") {
  const ToyRuns runs;
  const Outcome trained = run(runs.train("run", {"--ensemble", "2", "--json"}));
  REQUIRE(trained.exit_code == 0);
  const json metrics = json::parse(runs.text("run/metrics.json"));
  CHECK(json::parse(trained.out) == metrics);
  for (const char* place :
       {"/parameters", "/validation/loss", "/validation/accuracy", "/validation/ensemble/loss",
        "/validation/ensemble/accuracy", "/test/loss", "/test/accuracy", "/test/ensemble/loss",
        "/test/ensemble/accuracy", "/test/interval/low", "/test/interval/high",
        "/attention/key_hit_rate", "/attention/mean_largest_weight/positive",
        "/attention/mean_largest_weight/negative", "/seconds/fit", "/seconds/total"}) {
    CAPTURE(place);
    REQUIRE(metrics.contains(json::json_pointer(place)));
    CHECK(metrics[json::json_pointer(place)].is_number());
  }
  for (const char* set : {"validation", "test"}) {
    CHECK(metrics[set]["accuracy"] >= 0);
    CHECK(metrics[set]["accuracy"] <= 1);
  }
  CHECK(metrics["parameters"] == 64 * 128 + 128 + 128 * 64 + 64 + 2 * 64 * 256 + 256 + 192 * 2 + 2);
  const std::uint64_t members = milgrad::derive_seed(5, 3);
  CHECK(metrics["seeds"] ==
        json{{"seed", 5},
             {"members", {milgrad::derive_seed(members, 0), milgrad::derive_seed(members, 1)}}});
  CHECK(metrics["versions"]["version"] == MILGRAD_VERSION);
  CHECK(metrics["versions"]["openblas"]["core"].get<std::string>() != "");
  CHECK(metrics["versions"]["openblas"]["version"].get<std::string>() != "");
  CHECK(metrics["data"]["sha256"]["t10k-images-idx3-ubyte"].get<std::string>().size() == 64);
  REQUIRE(metrics["members"].size() == 2);
  CHECK(metrics["members"][1]["weights"] == "member_1.weights.h5");
  CHECK(metrics["members"][1]["stopped_epoch"] == nullptr);
  CHECK(metrics["members"][1]["epochs"] == 2);
  for (const char* name : {"member_0.history.csv", "member_1.history.csv", "member_0.curves.png",
                           "member_1.curves.png"})
    CHECK(fs::exists(runs.folder / "run" / name));
}

TEST_CASE("mil train: what is not known is null in metrics.json") {
  const ToyRuns runs;
  // Of one validation bag that holds one digit; seed 5 draws none of class 1.
  REQUIRE(run(runs.train("run", {"--validation-bags", "1", "--bag-size", "1"})).exit_code == 0);
  const json metrics = json::parse(runs.text("run/metrics.json"));
  REQUIRE(metrics["validation"]["positive"] == 0);
  CHECK(metrics["attention"]["key_hit_rate"] == nullptr);
  CHECK(metrics["attention"]["mean_largest_weight"]["positive"] == nullptr);
  CHECK(metrics["attention"]["mean_largest_weight"]["negative"] == 1);
}

TEST_CASE("mil train: both outputs in one pipe stand in order, line by line") {
  const ToyRuns runs;
  const std::string text = piped_together(runs.train("run", {"--ensemble", "2"}));
  check_order(text, {"Positive bags: ",
                     "\nNegative bags: ",
                     "\nPositive bags: ",
                     "\nNegative bags: ",
                     "\nThe bag class label is positive\nBag number: ",
                     "\nThe bag class label is negative\nBag number: ",
                     "\nModel: \"functional\"\n",
                     "\n Non-trainable params: 0 (0.00 B)\nClass weights: negative ",
                     "\nMember 1 of 2\nEpoch 1/2 - 150/150 - ",
                     "\nEpoch 2/2 - 150/150 - ",
                     "\nMember 1: best epoch ",
                     "\nMember 2 of 2\n",
                     "\nMember 2: best epoch ",
                     "\nThe average loss and accuracy are ",
                     " % resp.\nThe bag class label is positive\n",
                     "\nThe bag class label is negative\n",
                     "\nUntouched test set of 60 bags: loss ",
                     " % (mean of 2 members)\n",
                     "Their averaged prediction: loss ",
                     " % (95 % Wilson interval ",
                     "\nThe validation bags were used to select the epoch; these test bags were "
                     "used for nothing.\n"});
  for (const std::string& line : lines_of(text))
    if (line.starts_with("│")) CHECK(line.ends_with("│"));
  CHECK_FALSE(contains(text, "\x1b"));
  CHECK_FALSE(contains(text, "\r"));
  CHECK_FALSE(contains(text, "\b"));
}

TEST_CASE("mil train: Keras's bar on a terminal; without colours or without a bar where asked") {
  const ToyRuns runs;
  const Arguments train = runs.train("run");
  const std::string bar = on_terminal(train, {});
  check_order(bar, {"Epoch 1/2\r\n", "\x1b[1m150/150\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m",
                    "Epoch 2/2\r\n", "best epoch "});
  const std::string plain = on_terminal(train, {"NO_COLOR=1"});
  CHECK_FALSE(contains(plain, "\x1b"));
  CHECK(contains(plain, "150/150 ━━━━━━━━━━━━━━━━━━━━ "));
  const std::string dumb = on_terminal(train, {"TERM=dumb"});
  CHECK_FALSE(contains(dumb, "\x1b"));
  CHECK_FALSE(contains(dumb, "\b"));
  CHECK(contains(dumb, "\r\nEpoch 1/2 - 150/150 - "));
  Arguments quiet = train;
  quiet.push_back("--quiet");
  const std::string results = on_terminal(quiet, {});
  CHECK_FALSE(contains(results, "Epoch"));
  CHECK_FALSE(contains(results, "Class weights"));
  CHECK(contains(results, "The average loss and accuracy are "));
}

TEST_CASE("mil: under --json standard output is one JSON value, whatever the command") {
  const ToyRuns runs;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  const std::string weights = runs.path("run");
  for (const Arguments& command :
       {runs.train("run", {"--json"}), runs.command("predict", {weights, "--json"}),
        runs.command("evaluate", {weights, "--json"}), runs.command("plot", {weights, "--json"}),
        Arguments{milgrad::test::program("mil").string(), "summary", weights, "--json"}}) {
    const Outcome outcome = run(command);
    CAPTURE(command[1]);
    CHECK(outcome.exit_code == 0);
    CHECK(json::accept(outcome.out));
    CHECK(lines_of(outcome.out).size() == 1);
  }
}

TEST_CASE("mil summary: Keras's whole table in a pipe, no wider than COLUMNS allows") {
  const ToyRuns runs;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  const Arguments summary{milgrad::test::program("mil").string(), "summary", runs.path("run")};
  const auto table = [&](std::optional<std::string> columns) {
    return run(summary, {.environment = {{"COLUMNS", columns}}}).out;
  };
  const std::string whole = table({});
  CHECK(contains(whole,
                 "│ input_layer_1 (InputLayer)    │ (None, 8, 8)              │"
                 "               0 │ -                          │\n"));
  CHECK(contains(whole, "│ flatten[0][0],             │\n"));
  CHECK_FALSE(contains(whole, "…"));
  CHECK(whole.ends_with("\n Non-trainable params: 0 (0.00 B)\n"));
  const std::string narrow = table("80");
  CHECK(lines_of(narrow)[1].size() == 3 * 76);
  CHECK(lines_of(table("10"))[1].size() == 3 * 60);
}

TEST_CASE(
    "mil: a damaged weights file is replaced by its older generation, and each command says so") {
  const ToyRuns runs;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  const fs::path weights = runs.folder / "run/best.weights.h5";
  fs::copy_file(weights, weights.string() + ".1", fs::copy_options::overwrite_existing);
  damage(weights);
  for (const Arguments& command :
       {runs.command("predict", {runs.path("run")}), runs.command("evaluate", {weights.string()}),
        runs.command("plot", {runs.path("run"), "--out", runs.path("pictures")}),
        Arguments{milgrad::test::program("mil").string(), "summary", weights.string()}}) {
    CAPTURE(command[1]);
    const Outcome outcome = run(command);
    CHECK(outcome.exit_code == 0);
    CHECK(contains(outcome.err, "mil: warning: " + weights.string()));
    CHECK(contains(outcome.err, "best.weights.h5.1"));
  }
  fs::remove(weights.string() + ".1");
  const Outcome lost = run(runs.command("predict", {weights.string()}));
  CHECK(lost.exit_code == 65);
  CHECK(contains(lost.err, "mil: error: " + weights.string() + ": the SHA-256 "));
  CHECK(contains(lost.err, "\nhint: "));
}

TEST_CASE("mil: a folder stands for its newest run, whatever older runs left in it") {
  const ToyRuns runs;
  const auto members = [&] {
    const Outcome summary =
        run({milgrad::test::program("mil").string(), "summary", runs.path("run"), "--json"});
    return summary.exit_code == 0 ? json::parse(summary.out)["members"].get<int>()
                                  : -summary.exit_code;
  };
  REQUIRE(run(runs.train("run", {"--epochs", "1"})).exit_code == 0);
  CHECK(members() == 1);
  REQUIRE(run(runs.train("run", {"--epochs", "1", "--ensemble", "3"})).exit_code == 0);
  CHECK(members() == 3);
  REQUIRE(run(runs.train("run", {"--epochs", "1", "--ensemble", "2"})).exit_code == 0);
  CHECK(members() == 2);
  REQUIRE(run(runs.train("other", {"--epochs", "1", "--ensemble", "2", "--seed", "6"})).exit_code ==
          0);
  fs::copy_file(runs.folder / "other/member_1.weights.h5", runs.folder / "run/member_1.weights.h5",
                fs::copy_options::overwrite_existing);
  const Outcome mixed = run(runs.command("predict", {runs.path("run")}));
  CHECK(mixed.exit_code == 65);
  CHECK(contains(mixed.err,
                 "member_1.weights.h5: of another training run than "
                 "member_0.weights.h5; expected members of one run\nhint: "));
  fs::remove(runs.folder / "run/member_1.weights.h5");
  fs::remove(runs.folder / "run/member_2.weights.h5");
  const Outcome alone = run(runs.command("evaluate", {runs.path("run")}));
  CHECK(alone.exit_code == 0);
  CHECK(contains(alone.err, "run holds 1 of the 2 members that were to be trained\n"));
}

TEST_CASE("mil train: an output that cannot be created is named, whichever it is") {
  const ToyRuns runs;
  for (const char* name :
       {"bags_positive.png", "bags_negative.png", "best.weights.h5", "history.csv", "curves.png",
        "attention_positive.png", "attention_negative.png", "metrics.json"}) {
    CAPTURE(name);
    const std::string folder = std::string("run_") + name;
    fs::create_directories(runs.folder / folder / name);
    const Outcome refused = run(runs.train(folder, {"--epochs", "1", "--train-bags", "20"}));
    CHECK(refused.exit_code == 73);
    CHECK(contains(refused.err, "mil: error: " + runs.path(folder + "/" + name) +
                                    ": is a folder; expected the name of a file\n"));
    CHECK_FALSE(holds_temporary_file(runs.folder / folder));
  }
}

TEST_CASE("mil: an --out that cannot be is refused before any training") {
  const ToyRuns runs;
  const auto refused = [&](const Arguments& command, const std::string& text) {
    const Outcome outcome = run(command);
    CAPTURE(outcome.err);
    CHECK(outcome.exit_code == 73);
    CHECK(contains(outcome.err, text));
    CHECK(outcome.out == "");
  };
  milgrad::test::write_file(runs.folder / "file", "kept");
  refused(runs.train("file"), "/file: the folder cannot be created: ");
  refused(runs.train("file/below"), "/file/below: the folder cannot be created: ");
  refused(runs.train("../../../../../../../../proc/mil"), "the folder cannot be created: ");
  CHECK(runs.text("file") == "kept");
  REQUIRE(run(runs.train("run")).exit_code == 0);
  const std::string weights = runs.path("run");
  refused(runs.command("predict", {weights, "--out", runs.path("none/a.csv")}),
          "none/a.csv: cannot be created: No such file or directory\nhint: create the folder ");
  refused(runs.command("predict", {weights, "--out", runs.path("run")}),
          "run: is a folder; expected the name of a file");
  refused(runs.command("predict", {weights, "--out", "/dev/full"}),
          "/dev/full: is not a regular file");
  refused(runs.command("plot", {weights, "--out", runs.path("file")}),
          "/file: the folder cannot be created: ");
}

TEST_CASE("mil: a size limit in the midst of a run is an error, and the files before it stay") {
  const ToyRuns runs;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  const std::string weights = runs.text("run/best.weights.h5"),
                    metrics = runs.text("run/metrics.json");
  // 300 KiB hold the pictures but not the weights.
  const Outcome limited_run = run(limited("300", runs.train("run", {"--seed", "6"})));
  CAPTURE(limited_run.err);
  CHECK(limited_run.exit_code == 74);
  CHECK(contains(limited_run.err,
                 "mil: error: " + runs.path("run/best.weights.h5") + ": cannot write "));
  CHECK(contains(limited_run.err,
                 "\nhint: raise the file size limit (ulimit -f), or write "
                 "elsewhere\n"));
  CHECK(runs.text("run/best.weights.h5") == weights);
  CHECK(runs.text("run/metrics.json") == metrics);
  CHECK_FALSE(holds_temporary_file(runs.folder / "run"));
  const std::string csv = runs.path("predictions.csv");
  REQUIRE(run(runs.command("predict", {runs.path("run"), "--out", csv})).exit_code == 0);
  const std::string before = runs.text("predictions.csv");
  CHECK(run(limited("1", runs.command("predict", {runs.path("run"), "--out", csv}))).exit_code ==
        74);
  CHECK(runs.text("predictions.csv") == before);
}

TEST_CASE("mil train: kill -9 at any moment leaves weights that load and a whole history") {
  const ToyRuns runs;
  for (int round = 0; round < 6; ++round) {
    milgrad::test::Process process(runs.train(
        "run", {"--epochs", "100000", "--no-early-stopping", "--seed", std::to_string(round)}));
    process.wait_for_output("Non-trainable params");
    milgrad::test::wait_for_file(runs.folder / "run/best.weights.h5");
    std::this_thread::sleep_for(std::chrono::milliseconds(13 * round));
    process.send(SIGKILL);
    CHECK(process.wait().exit_code == 128 + SIGKILL);
    const Outcome predicted = run(runs.command("predict", {runs.path("run")}));
    CHECK(predicted.exit_code == 0);
    CHECK(predicted.err == "");
    if (!fs::exists(runs.folder / "run/history.csv")) continue;
    const std::string history = runs.text("run/history.csv");
    CHECK(history.ends_with("\r\n"));
    for (const std::string& line : lines_of(history))
      CHECK(std::count(line.begin(), line.end(), ',') == 4);
  }
}

TEST_CASE(
    "mil train: SIGTERM keeps what was learnt, a stop before the first epoch has nothing to keep") {
  const ToyRuns runs;
  milgrad::test::Process process(
      runs.train("run", {"--epochs", "100000", "--no-early-stopping", "--ensemble", "2"}));
  milgrad::test::wait_for_file(runs.folder / "run/member_0.history.csv");
  process.send(SIGTERM);
  const Outcome stopped = process.wait();
  CAPTURE(stopped.err);
  CHECK(stopped.exit_code == 143);
  const json metrics = json::parse(runs.text("run/metrics.json"));
  CHECK(metrics["interrupted"] == true);
  CHECK(metrics["members"].size() == 1);
  CHECK(metrics["seeds"]["members"].size() == 1);
  CHECK(fs::exists(runs.folder / "run/member_0.curves.png"));
  const Outcome predicted = run(runs.command("predict", {runs.path("run")}));
  CHECK(predicted.exit_code == 0);
  CHECK(contains(predicted.err, "holds 1 of the 2 members that were to be trained"));

  milgrad::test::Process early(runs.train("early", {"--train-bags", "200000"}));
  early.wait_for_output("Non-trainable params");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  early.send(SIGINT);
  const Outcome nothing = early.wait();
  CHECK(nothing.exit_code == 130);
  CHECK(contains(nothing.err, "mil: warning: no epoch ended, so no weights were saved\n"));
  CHECK_FALSE(fs::exists(runs.folder / "early/best.weights.h5"));
  CHECK_FALSE(fs::exists(runs.folder / "early/metrics.json"));
}

TEST_CASE("mil train: data that does not hold together is refused with 65, nothing is written") {
  const auto refusal = [](const auto& spoil) {
    const ToyRuns runs;
    spoil(runs);
    const Outcome outcome = run(runs.train("run"));
    CHECK(outcome.exit_code == 65);
    CHECK(outcome.out == "");
    CHECK_FALSE(fs::exists(runs.folder / "run"));
    const std::string prefix = "mil: error: " + runs.path("digits/");
    REQUIRE(outcome.err.starts_with(prefix));
    return outcome.err.substr(prefix.size());
  };
  const std::string images = "digits/train-images-idx3-ubyte";
  CHECK(refusal([&](const ToyRuns& runs) { fs::resize_file(runs.folder / images, 5000); }) ==
        "train-images-idx3-ubyte: the header claims dims (300, 8, 8) = 19200 bytes; a file of 5000 "
        "bytes cannot hold them\n");
  CHECK(refusal([&](const ToyRuns& runs) {
          milgrad::test::write_file(runs.folder / images, "hello world, no digits here");
        }) ==
        "train-images-idx3-ubyte: byte 0: expected an IDX file, which begins with 0000, found "
        "6865\n");
  CHECK(refusal([&](const ToyRuns& runs) {
          fs::remove(runs.folder / images);
          milgrad::test::write_file(runs.folder / (images + ".gz"),
                                    std::string("\x1f\x8b\x08\0\0\0\0\0\0\3", 10));
        }) == "train-images-idx3-ubyte.gz: the gzip stream is cut short after 10 bytes\n");
  CHECK(refusal([&](const ToyRuns& runs) {
          milgrad::io::write_idx(runs.folder / "digits/t10k-labels-idx1-ubyte",
                                 milgrad::io::make_array({2}, std::vector<std::uint8_t>{1, 2}));
        }) ==
        "t10k-labels-idx1-ubyte: 2 labels for 200 images; expected one label for each image\n");
  CHECK(refusal([&](const ToyRuns& runs) {
          milgrad::io::write_idx(
              runs.folder / "digits/t10k-images-idx3-ubyte",
              milgrad::io::make_array({200, 4, 4}, std::vector<std::uint8_t>(3200)));
        }) == "t10k-images-idx3-ubyte: images of 4 x 4; expected 8 x 8 as in the training set\n");
}

TEST_CASE("mil train: bags that cannot be drawn are refused with 2, nothing is written") {
  const ToyRuns runs;
  const auto refused = [&](const Arguments& more, const std::string& text) {
    const Outcome outcome = run(runs.train("run", more));
    CAPTURE(outcome.err);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.err.starts_with("mil: error: " + text));
    CHECK_FALSE(fs::exists(runs.folder / "run"));
  };
  refused({"--positive-class", "10"},
          "There is no class 10\nhint: choose --positive-class among the labels of the images\n");
  refused({"--bag-size", "201"},
          "[bags] 200 digits are left to draw from, a bag needs 201\nhint: ");
  refused({"--bag-size", "150"}, "[bags] 0 digits are left to draw from, a bag needs 150\nhint: ");
  refused({"--train-bags", "1", "--bag-size", "1", "--positive-class", "2"},
          "[compute_class_weights] no sample has class 1: the counts of classes 0..1 are 1, 0\n");
  refused({"--train-bags", "1000000", "--bag-size", "10000"},
          "[bags] 1000100 bags of 10000 images of 8 x 8 take 2560.3 GB; expected at most the ");
}

TEST_CASE("mil predict: weights of another architecture and foreign files are refused with 65") {
  const ToyRuns runs;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  const auto refused = [&](const std::string& weights, const std::string& text) {
    const Outcome outcome = run(runs.command("predict", {weights}));
    CAPTURE(outcome.err);
    CHECK(outcome.exit_code == 65);
    CHECK(outcome.err.starts_with("mil: error: " + weights + ": " + text));
  };
  const auto attributes = milgrad::nn::read_root_attributes(runs.folder / "run/best.weights.h5");
  const auto input = milgrad::nn::Input({4});
  const milgrad::nn::Model other(input, milgrad::nn::Dense(2)(input));
  const std::string path = runs.path("other.weights.h5");
  other.save_weights(path, {.root_attributes = attributes});
  refused(path, "layer \"dense");
  other.save_weights(path);
  refused(path,
          "root attribute mil_configuration; expected the configuration of the training run "
          "as JSON, found no such attribute\n");
  other.save_weights(path, {.root_attributes = {{"mil_configuration", "{]"}}});
  refused(path,
          "root attribute mil_configuration; expected the configuration of the training run "
          "as JSON, found other text\n");
  other.save_weights(path, {.root_attributes = {{"mil_configuration", "{\"dense\": \"many\"}"}}});
  refused(path,
          "bad saved value for dense; expected 1 to 8 whole numbers from 1 to 65536, found "
          "\"many\"\n");
  refused(runs.path("run/metrics.json"), "not a readable HDF5 file ");

  const Outcome missing = run(runs.command("predict", {runs.path("none")}));
  CHECK(missing.exit_code == 66);
  CHECK(missing.err == "mil: error: " + runs.path("none") + ": no such file\n");
  const Outcome empty = run(runs.command("predict", {runs.path("digits")}));
  CHECK(empty.exit_code == 66);
  CHECK(contains(empty.err,
                 "digits: no trained model in this folder; expected best.weights.h5 or "
                 "member_0.weights.h5\nhint: train one with: mil train --out "));
}

TEST_CASE("mil predict: images of another size than the model's are refused with 65") {
  const ToyRuns runs, others;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  for (const char* name : {"train", "t10k"})
    milgrad::io::write_idx(
        others.folder / ("digits/" + std::string(name) + "-images-idx3-ubyte"),
        milgrad::io::make_array({name[0] == 't' && name[1] == 'r' ? 300U : 200U, 4, 4},
                                std::vector<std::uint8_t>(name[1] == 'r' ? 4800 : 3200)));
  const Outcome refused = run(others.command("predict", {runs.path("run")}));
  CHECK(refused.exit_code == 65);
  CHECK(contains(refused.err, "digits: images of 4 x 4 pixels; expected 8 x 8, as the model of "));
}

TEST_CASE(
    "mil train: too little memory is an error, also where OpenBLAS gets none for its thread") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  milgrad::test::skip("a sanitizer needs more addresses than the limit leaves");
#endif
  const ToyRuns runs;
  Arguments shell{"bash", "-c", "ulimit -v 200000; exec \"$@\"", "bash"};
  const Arguments train = runs.train("run", {"--train-bags", "300000"});
  shell.insert(shell.end(), train.begin(), train.end());
  const Outcome outcome = run(shell, {}, std::chrono::seconds(30));
  CHECK(outcome.exit_code == 71);
  CHECK(outcome.err ==
        "mil: error: out of memory\nhint: end other programs, or take fewer or smaller "
        "bags\n");
}

TEST_CASE("mil: a reader that goes away ends it quietly") {
  const ToyRuns runs;
  REQUIRE(run(runs.train("run")).exit_code == 0);
  Arguments shell{"bash", "-c", "{ sleep 0.2; \"$@\"; echo $? >&2; } | true", "bash"};
  const Arguments predict = runs.command("predict", {runs.path("run")});
  shell.insert(shell.end(), predict.begin(), predict.end());
  CHECK(run(shell).err == "141\n");
}
