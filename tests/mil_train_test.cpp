// The example end to end: the program mil on a small subset of the real digits.
#include "nn/data/mnist.h"
#include "nn/io/idx.h"
#include "tests/mil_support.h"

#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;
using milgrad::test::Arguments;
using milgrad::test::contains;
using milgrad::test::Outcome;

void write_subset(const milgrad::nn::data::ImageSet& set, std::size_t count, const fs::path& folder,
                  const std::string& name) {
  const auto pixels = set.rows * set.columns;
  const std::vector<std::uint8_t> images(set.images.begin(),
                                         set.images.begin() + static_cast<long>(count * pixels));
  const std::vector<std::uint8_t> labels(set.labels.begin(),
                                         set.labels.begin() + static_cast<long>(count));
  milgrad::io::write_idx(folder / (name + "-images-idx3-ubyte"),
                         milgrad::io::make_array({count, set.rows, set.columns}, images));
  milgrad::io::write_idx(folder / (name + "-labels-idx1-ubyte"),
                         milgrad::io::make_array({count}, labels));
}

/// Runs on the first digits of MNIST.
struct Subset : milgrad::test::MilRuns {
  Subset() {
    const fs::path mnist = milgrad::test::data_or_skip("mnist");
    const auto digits = milgrad::nn::data::load_mnist({.directory = mnist});
    fs::create_directory(folder / "digits");
    write_subset(digits.train, 2000, folder / "digits", "train");
    write_subset(digits.test, 1000, folder / "digits", "t10k");
  }
};

std::vector<std::vector<double>> numbers(const std::string& csv) {
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  std::vector<std::vector<double>> rows;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(std::stod(cell));
  }
  return rows;
}

}  // namespace

TEST_CASE("mil train: the example writes and says what it promises") {
  const Subset subset;
  const Outcome run = milgrad::test::run(subset.train("run"));
  CAPTURE(run.err);
  REQUIRE(run.exit_code == 0);

  for (const char* line :
       {"Positive bags: ", "Negative bags: ", "The bag class label is positive\n",
        "The bag class label is negative\n", "Bag number: ", "Model: \"functional\"",
        "Total params: 142,146", "The average loss and accuracy are ",
        "Untouched test set of 60 bags: loss "})
    CHECK_MESSAGE(contains(run.out, line), line);
  CHECK(contains(run.err, "Class weights: negative "));
  CHECK(contains(run.err, "best epoch "));
  CHECK_FALSE(contains(run.out + run.err, "\x1b"));  // not a terminal: no escape byte
  CHECK_FALSE(contains(run.out + run.err, "\r"));

  for (const char* name : {"curves.png", "bags_positive.png", "bags_negative.png",
                           "attention_positive.png", "attention_negative.png"})
    CHECK(subset.text(std::string("run/") + name).substr(1, 3) == "PNG");
  CHECK(subset.text("run/history.csv").substr(0, 41) ==
        "epoch,accuracy,loss,val_accuracy,val_loss");

  const auto metrics = nlohmann::json::parse(subset.text("run/metrics.json"));
  CHECK(metrics["parameters"] == 142146);
  CHECK(metrics["validation"]["bags"] == 40);
  CHECK(metrics["test"]["bags"] == 60);
  CHECK(metrics["test"]["interval"]["low"] <= metrics["test"]["accuracy"]);
  CHECK(metrics["test"]["interval"]["high"] >= metrics["test"]["accuracy"]);
  CHECK(metrics["attention"]["largest_sum_error"] < 1e-6);
  CHECK(metrics["configuration"]["epochs"] == 2);
  CHECK(metrics["seconds"]["total"] >= metrics["seconds"]["fit"]);
  CHECK(metrics["data"]["sha256"].size() == 4);
}

TEST_CASE("mil train: --profile says where the time goes, on stderr and in a file") {
  const Subset subset;
  const auto run = milgrad::test::run(subset.train("run", {"--profile"}));
  REQUIRE(run.exit_code == 0);
  CHECK(contains(run.err, "GFLOP/s      GB/s  operation\n"));
  CHECK(contains(run.err, "\ntrain_step: arena "));
  CHECK_FALSE(contains(run.out, "GFLOP/s"));
  const auto trace = nlohmann::json::parse(subset.text("run/profile.json"));
  CHECK(trace["traceEvents"].size() > 100);
  CHECK(trace["traceEvents"][0]["ph"] == "X");
}

TEST_CASE("mil predict, evaluate, plot, summary: rebuild the model from its file") {
  const Subset subset;
  REQUIRE(milgrad::test::run(subset.train("run")).exit_code == 0);
  const std::string weights = (subset.folder / "run/best.weights.h5").string();
  const auto metrics = nlohmann::json::parse(subset.text("run/metrics.json"));

  const Outcome predicted = milgrad::test::run(subset.command("predict", {"--weights", weights}));
  CAPTURE(predicted.err);
  REQUIRE(predicted.exit_code == 0);
  CHECK(contains(predicted.out, "bag,label,p_0,p_1,attention_1,attention_2,attention_3\n"));
  const auto rows = numbers(predicted.out);
  REQUIRE(rows.size() == 40);
  double right = 0;
  for (const auto& row : rows) {
    CHECK(row[2] + row[3] == doctest::Approx(1).epsilon(1e-6));
    CHECK(row[4] + row[5] + row[6] == doctest::Approx(1).epsilon(1e-6));
    right += (row[3] > row[2]) == (row[1] == 1);
  }
  CHECK(right / 40 == doctest::Approx(metrics["validation"]["ensemble"]["accuracy"].get<double>()));

  const Outcome evaluated =
      milgrad::test::run(subset.command("evaluate", {"--weights", weights, "--json"}));
  REQUIRE(evaluated.exit_code == 0);
  const auto report = nlohmann::json::parse(evaluated.out);
  CHECK(report["loss"].get<double>() ==
        doctest::Approx(metrics["validation"]["loss"].get<double>()).epsilon(1e-6));
  CHECK(report["accuracy"] == metrics["validation"]["accuracy"]);

  const std::string pictures = (subset.folder / "pictures").string();
  CHECK(milgrad::test::run(subset.command("plot", {"--weights", weights, "--out", pictures}))
            .exit_code == 0);
  CHECK(subset.text("pictures/attention_positive.png") ==
        subset.text("run/attention_positive.png"));

  const Outcome summary =
      milgrad::test::run({milgrad::test::program("mil").string(), "summary", weights});
  CHECK(summary.exit_code == 0);
  CHECK(contains(summary.out, "142,146"));

  const Outcome other = milgrad::test::run(
      subset.command("predict", {"--weights", weights, "--attention-dim", "64"}));
  CHECK(other.exit_code == 2);
  CHECK(contains(other.err, "--attention-dim: the model of "));
}

TEST_CASE("mil train: the same bits for the same seed and for one and two threads") {
  const Subset subset;
  const auto predictions = [&](const std::string& name, const Arguments& more) {
    REQUIRE(milgrad::test::run(subset.train(name, more)).exit_code == 0);
    return milgrad::test::run(
               subset.command("predict", {"--weights", (subset.folder / name).string()}))
        .out;
  };
  const std::string first = predictions("a", {"--threads", "1"});
  CHECK(predictions("b", {"--threads", "2"}) == first);
  CHECK(predictions("c", {"--seed", "6"}) != first);
}

TEST_CASE("mil train: an ensemble writes each member and averages their predictions") {
  const Subset subset;
  const Outcome run = milgrad::test::run(subset.train("run", {"--ensemble", "2"}));
  CAPTURE(run.err);
  REQUIRE(run.exit_code == 0);
  CHECK(contains(run.err, "Member 2 of 2"));
  CHECK_FALSE(fs::exists(subset.folder / "run/best.weights.h5"));
  const auto rows = [&](const std::string& path) {
    return numbers(milgrad::test::run(
                       subset.command("predict", {"--weights", (subset.folder / path).string()}))
                       .out);
  };
  const auto both = rows("run"), one = rows("run/member_0.weights.h5"),
             two = rows("run/member_1.weights.h5");
  REQUIRE(both.size() == 40);
  for (std::size_t i = 0; i < both.size(); ++i)
    for (std::size_t column = 2; column < both[i].size(); ++column)
      CHECK(both[i][column] ==
            doctest::Approx((one[i][column] + two[i][column]) / 2).epsilon(1e-5));
  CHECK(one != two);
}

TEST_CASE("mil train: wrong input is refused with its reason") {
  const Subset subset;
  const auto refused = [&](const Arguments& more, int code, const std::string& message) {
    const Outcome run = milgrad::test::run(subset.train("run", more));
    CHECK(run.exit_code == code);
    CAPTURE(run.err);
    CHECK(contains(run.err, message));
  };
  refused({"--positive-class", "12"}, 2, "mil: error: There is no class 12");
  refused({"--bag-size", "2001"}, 2, "digits are left to draw from, a bag needs 2001");
  refused({"--positive-class", "1", "--dataset", "mnist", "--bag-size", "0"}, 2,
          "--bag-size: bad value");
  refused({"--out", "/proc/mil"}, 73, "/proc/mil");
}

TEST_CASE("mil train: SIGINT keeps the best weights and the history, and ends with 130") {
  const Subset subset;
  milgrad::test::Process process(
      subset.train("run", {"--epochs", "100000", "--no-early-stopping"}));
  milgrad::test::wait_for_file(subset.folder / "run/history.csv");
  process.send(SIGINT);
  const Outcome run = process.wait();
  CAPTURE(run.err);
  CHECK(run.exit_code == 130);
  CHECK(nlohmann::json::parse(subset.text("run/metrics.json"))["interrupted"] == true);
  CHECK(
      milgrad::test::run(subset.command("predict", {"--weights", (subset.folder / "run").string()}))
          .exit_code == 0);
}
