// Profiles: what is counted, and the two forms in which it is shown.
#include "autograd/profile.h"

#include "autograd/trace.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tests/trainer_support.h"
#include "tests/values.h"

#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace milgrad {
namespace {

Program small_program() {
  return Program(trace(
                     [](const Tensors& x) {
                       const NameScope scope("dense \"1\"");
                       return Tensors{sum(exp(matmul(x[0], x[1])))};
                     },
                     {{{symbolic_dim(1), 3}, DType::float32}, {{3, 4}, DType::float32}}),
                 {.passes = PassOptions::none()});
}

std::map<std::string, Profile::Row> by_node(const Profile& profile) {
  std::map<std::string, Profile::Row> rows;
  for (const Profile::Row& row : profile.rows()) rows[row.node] = row;
  return rows;
}

}  // namespace

TEST_CASE("profile: calls, time and declared work of every node, by shape") {
  Program program = small_program();
  Profile profile;
  CHECK(profile.table() == "no program ran\n");
  for (Dim n : {2, 2, 5}) {
    const Tensors arguments{ones({n, 3}), ones({3, 4})};
    const Tensor with = copy(program.replay(arguments, &profile.of(program, "forward"))[0]);
    CHECK(test::same_bits(with, program(arguments)[0]));
  }
  const auto rows = by_node(profile);
  REQUIRE(rows.size() == 6);
  const Profile::Row& product = rows.at("%2 matmul (2, 3) (3, 4) -> (2, 4)  # dense \"1\"");
  CHECK(product.calls == 2);
  CHECK(product.program == "forward");
  CHECK(product.operation == "matmul");
  CHECK(product.cost.flops == 2 * 2 * 3 * 4);
  CHECK(product.seconds > 0);
  CHECK(rows.at("%3 exp (5, 4) -> (5, 4)  # dense \"1\"").calls == 1);
  for (std::size_t i = 1; i < profile.rows().size(); ++i)
    CHECK(profile.rows()[i - 1].seconds >= profile.rows()[i].seconds);

  const std::string table = profile.table();
  const auto says = [&](const std::string& text) { return table.find(text) != std::string::npos; };
  CHECK(says("     calls     time ms   us/call      %   GFLOP/s      GB/s  operation\n"));
  CHECK(says("  matmul\n"));
  CHECK(says("  total\n"));
  CHECK(says("  forward: %2 matmul (5, 3) (3, 4) -> (5, 4)  # dense \"1\"\n"));
  CHECK(says("\nforward: arena "));
  CHECK(says("\npeak memory of the process: "));
}

TEST_CASE("profile: the Chrome trace is JSON, its calls follow each other") {
  Program program = small_program();
  Profile profile(4);
  const Tensors arguments{ones({2, 3}), ones({3, 4})};
  for (int i = 0; i < 2; ++i) program.replay(arguments, &profile.of(program, "forward"));
  const auto json = nlohmann::json::parse(profile.chrome_trace());
  CHECK(json["otherData"]["calls_left_out"] == "2");
  REQUIRE(json["traceEvents"].size() == 4);
  double end = 0;
  for (const auto& event : json["traceEvents"]) {
    CHECK(event["ph"] == "X");
    CHECK(event["cat"] == "forward");
    CHECK(event["ts"].get<double>() >= end - 0.002);
    end = event["ts"].get<double>() + event["dur"].get<double>();
  }
  CHECK(json["traceEvents"][0]["name"] == "matmul");
  CHECK(json["traceEvents"][0]["args"]["node"] ==
        "%2 matmul (2, 3) (3, 4) -> (2, 4)  # dense \"1\"");
  CHECK(json["traceEvents"][0]["args"]["flop"] == 48);
}

TEST_CASE("profile: fit sums its training and validation steps, and trains the same") {
  nn::Model model = test::compiled("sgd"), plain = test::compiled("sgd");
  const test::Data data = test::training_data();
  Profile profile;
  const nn::FitOptions options{.epochs = 2,
                               .batch_size = 2,
                               .validation_data = {{data.x, data.y}},
                               .verbose = 0,
                               .shuffle = false};
  nn::FitOptions profiled = options;
  profiled.profile = &profile;
  const nn::History history = model.fit(data.x, data.y, profiled);
  CHECK(history["loss"] == plain.fit(data.x, data.y, options)["loss"]);
  std::map<std::string, std::int64_t> most;
  for (const Profile::Row& row : profile.rows())
    most[row.program] = std::max(most[row.program], row.calls);
  CHECK(most["train_step"] == 6);
  CHECK(most["test_step"] >= 2);
  model.fit(data.x, data.y, options);
  CHECK(profile.rows()[0].calls <= 6);

  nn::Model eager = test::small_model();
  eager.compile({.optimizer = "sgd", .loss = "mse", .run_eagerly = true});
  CHECK_THROWS_WITH_AS(eager.fit(data.x, data.x, profiled),
                       "[fit] got a profile, and the model runs eagerly", ValueError);
}

TEST_CASE("profile: programs are told apart by their names") {
  Program a = small_program(), b = small_program();
  Profile profile;
  const Tensors arguments{ones({2, 3}), ones({3, 4})};
  a.replay(arguments, &profile.of(a, "train"));
  b.replay(arguments, &profile.of(b, "predict"));
  CHECK(profile.rows().size() == 6);
  CHECK(profile.table().find("\npredict: arena ") != std::string::npos);
  CHECK(profile.table().find("\ntrain: arena ") != std::string::npos);
}

}  // namespace milgrad
