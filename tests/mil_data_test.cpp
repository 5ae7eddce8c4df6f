// The data commands of mil and the folders of bags they read.
#include "examples/mil/dataset.h"
#include "nn/io/npy.h"
#include "tensor/error.h"
#include "tests/http_server.h"
#include "tests/support.h"

#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace {

using milgrad::io::make_array;
using milgrad::test::TemporaryDirectory;
using Integers = std::vector<std::int64_t>;

/// Three bags of 1, 2 and 1 instances with two features.
void write_bags(const TemporaryDirectory& folder) {
  milgrad::io::write_npy(folder / "X.npy",
                         make_array({4, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
  milgrad::io::write_npy(folder / "offsets.npy", make_array({4}, Integers{0, 1, 3, 4}));
  milgrad::io::write_npy(folder / "y.npy", make_array({3}, std::vector<std::int32_t>{0, 1, 1}));
}

/// What load_bags says, without the folder in front of the file names.
std::string refusal(const TemporaryDirectory& folder) {
  try {
    mil::load_bags(folder.path().string());
  } catch (const milgrad::Error& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "accepted";
}

milgrad::test::Outcome mil_program(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), milgrad::test::program("mil").string());
  return milgrad::test::run(arguments);
}

}  // namespace

TEST_CASE("mil data: a folder of bags is read") {
  const TemporaryDirectory folder;
  write_bags(folder);
  const mil::BagFolder bags = mil::load_bags(folder.path().string());
  CHECK(bags.bags() == 3);
  CHECK(bags.offsets == Integers{0, 1, 3, 4});
  CHECK(*bags.labels == Integers{0, 1, 1});
  CHECK(milgrad::io::values_of<float>(bags.instances)[7] == 8);
  std::filesystem::remove(folder / "y.npy");
  CHECK_FALSE(mil::load_bags(folder.path().string()).labels);
}

TEST_CASE("mil data: folders of bags that do not fit are refused with file and entry") {
  const TemporaryDirectory folder;
  const auto refusal_with = [&](const char* file, const milgrad::io::Array& array) {
    write_bags(folder);
    milgrad::io::write_npy(folder / file, array);
    return refusal(folder);
  };
  CHECK(refusal(folder) == "X.npy: no such file");
  CHECK(refusal_with("X.npy", make_array({4}, std::vector<float>(4))) ==
        "X.npy: not instances; expected float32, float64 or uint8 of shape (instances, features), "
        "found float32 of shape (4,)");
  CHECK(refusal_with("X.npy", make_array({2, 2}, Integers(4))) ==
        "X.npy: not instances; expected float32, float64 or uint8 of shape (instances, features), "
        "found int64 of shape (2, 2)");
  CHECK(refusal_with("X.npy", make_array({4, 2}, std::vector<double>{0, 0, 0, 0, 0, NAN, 0, 0})) ==
        "X.npy: instance 2, value 1; expected a finite number, found nan");
  CHECK(refusal_with("offsets.npy", make_array({2, 2}, Integers(4))) ==
        "offsets.npy: not a list of whole numbers; expected int64 or int32 of shape (n,), found "
        "int64 of shape (2, 2)");
  CHECK(refusal_with("offsets.npy", make_array({1}, Integers{0})) ==
        "offsets.npy: no bags; expected at least 2 offsets, found 1");
  CHECK(refusal_with("offsets.npy", make_array({2}, Integers{1, 4})) ==
        "offsets.npy: entry 0; expected 0, found 1");
  CHECK(refusal_with("offsets.npy", make_array({4}, Integers{0, 2, 2, 4})) ==
        "offsets.npy: entry 2; expected more than 2, as each bag holds an instance, found 2");
  CHECK(refusal_with("offsets.npy", make_array({4}, Integers{0, 1, 3, 5})) ==
        "offsets.npy: entry 3; expected 4, the instances of X.npy, found 5");
  CHECK(refusal_with("offsets.npy", make_array({4}, Integers{0, 1, 3, 4})) == "accepted");
  CHECK(refusal_with("y.npy", make_array({2}, Integers{0, 1})) ==
        "y.npy: labels; expected 3, one for each bag, found 2");
}

TEST_CASE("mil data inspect: a folder of bags, as text and as JSON") {
  const TemporaryDirectory folder;
  write_bags(folder);
  const std::string path = folder.path().string();
  const auto text = mil_program({"data", "inspect", "--data", path});
  CHECK(text.exit_code == 0);
  CHECK(text.out == "folder      " + path +
                        "\ninstances   float32 of shape (4, 2)\n"
                        "bags        3, of 1 to 2 instances, median 1\n"
                        "  label 0        1\n  label 1        2\n");
  const auto report = mil_program({"data", "inspect", "--data", path, "--json"});
  CHECK(nlohmann::json::parse(report.out) ==
        nlohmann::json{{"folder", path},
                       {"instances", {{"type", "float32"}, {"shape", {4, 2}}}},
                       {"bags", 3},
                       {"bag_size", {{"min", 1}, {"median", 1.0}, {"max", 2}}},
                       {"per_label", {{"0", 1}, {"1", 2}}}});
  const auto missing = mil_program({"data", "inspect", "--data", path + "/none"});
  CHECK(missing.exit_code == 66);
  CHECK(missing.err == "mil: error: " + path + "/none/X.npy: no such file\n");
}

TEST_CASE("mil data inspect: the real musk1 bags") {
  const auto folder = milgrad::test::data_or_skip("classic/musk1");
  const auto outcome = mil_program({"data", "inspect", "--data", folder.string(), "--json"});
  REQUIRE(outcome.exit_code == 0);
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  CHECK(report["bags"] == 92);
  CHECK(report["instances"]["shape"] == nlohmann::json{476, 166});
  CHECK(report["bag_size"] == nlohmann::json{{"min", 2}, {"median", 4.0}, {"max", 40}});
  CHECK(report["per_label"] == nlohmann::json{{"0", 45}, {"1", 47}});
}

TEST_CASE("mil data inspect: the real MNIST digits") {
  const auto folder = milgrad::test::data_or_skip("mnist");
  const auto outcome = mil_program({"data", "inspect", "--data-dir", folder.string(), "--json"});
  REQUIRE(outcome.exit_code == 0);
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  CHECK(report["verified"] == true);
  CHECK(report["train"]["images"] == 60000);
  CHECK(report["train"]["per_class"]["1"] == 6742);
  CHECK(report["test"]["images"] == 10000);
  CHECK(report["test"]["per_class"]["1"] == 1135);
  CHECK(report["test"]["rows"] == 28);
}

TEST_CASE("mil data fetch: without a source it lists what was tried and what to do") {
  const TemporaryDirectory folder;
  const auto refused = mil_program({"data", "fetch", "mnist", "--mirror", "http://127.0.0.1:1/",
                                    "--data-dir", folder.path().string()});
  CHECK(refused.exit_code == 66);
  CHECK(refused.out == "");
  CHECK(refused.err.find("MNIST could not be fetched; tried:\n  http://127.0.0.1:1/") !=
        std::string::npos);
  CHECK(refused.err.find("hint: give another mirror") != std::string::npos);
  const auto fashion =
      mil_program({"data", "fetch", "fashion-mnist", "--mirror", "http://127.0.0.1:1/"});
  CHECK(fashion.exit_code == 2);
  CHECK(fashion.err ==
        "mil: error: --mirror: fashion-mnist has no mirrors; expected mnist, found fashion-mnist\n"
        "hint: install Debian's package dataset-fashion-mnist\n");
}

TEST_CASE("mil data fetch: from a mirror on this machine, once") {
  const auto digits = milgrad::test::data_or_skip("mnist");
  std::atomic<int> requests = 0;
  const milgrad::test::HttpServer server([&](const std::string& path) {
    ++requests;
    return milgrad::test::http_response("200 OK",
                                        milgrad::test::read_file(digits / path.substr(1)));
  });
  const TemporaryDirectory folder;
  const std::string path = folder.path().string();
  for (int run = 0; run < 2; ++run) {
    const auto outcome =
        mil_program({"data", "fetch", "mnist", "--mirror", server.url(), "--data-dir", path});
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out == "mnist is in " + path + "\n");
    CHECK(outcome.err == "");
    CHECK(requests == 4);
  }
  CHECK(mil_program({"data", "inspect", "--data-dir", path}).exit_code == 0);
}
