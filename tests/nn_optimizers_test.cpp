// Optimizers against Keras 3.15.1 on JAX (float32: keras.optimizers.X applied 20 times to the
// gradient 2 x - c + 0.1 i), and against the formulas re-coded in float64.
#include "nn/config.h"
#include "nn/optimizers.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tests/nn_support.h"

#include <array>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

const std::vector<double> kStart = {1.0, -2.0, 0.5};
const std::vector<double> kTarget = {0.3, -0.7, 1.1};

/// The variable after each of `steps` steps.
std::vector<std::vector<double>> descend(nn::Optimizer& optimizer, DType dtype, int steps) {
  const Variable x(cast(tensor(kStart, {3}), dtype), {.name = "x"});
  const Tensor c = cast(tensor(kTarget, {3}), dtype);
  optimizer.build({x});
  std::vector<std::vector<double>> values;
  for (int i = 0; i < steps; ++i) {
    optimizer.apply({(x.value().stop_gradient() * 2.0 - c + 0.1 * i)});
    values.push_back(cast(x.value().stop_gradient(), DType::float64).to_vector<double>());
  }
  return values;
}

void check_near(const std::vector<double>& values, const std::vector<double>& expected,
                double tolerance) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(values[i] - expected[i]) <= tolerance);
  }
}

TEST_CASE("optimizers: 20 steps of Adam as Keras takes them") {
  const auto adam = nn::Adam({.learning_rate = 0.05, .exact_keras_scalars = true});
  const auto x = descend(*adam, DType::float32, 20);
  check_near(x[0], {0.9500004053115845, -1.9500004053115845, 0.5499981045722961}, 2e-7);
  check_near(x[1], {0.9000009894371033, -1.9001067876815796, 0.5473675727844238}, 3e-7);
  check_near(x[9], {0.5000040531158447, -1.5165530443191528, 0.20883023738861084}, 1e-6);
  check_near(x[19], {7.3052942752838135e-06, -1.1644660234451294, -0.3026009500026703}, 1e-6);

  const std::vector<Variable> state = adam->variables();
  REQUIRE(state.size() == 4);
  CHECK(state[0].dtype() == DType::int32);
  CHECK(state[0].value().item<int>() == 20);
  CHECK(state[1].value().item() == 0.05000000074505806);
  check_near(cast(state[2], DType::float64).to_vector<double>(),
             {1.4933282136917114, -0.756771981716156, 0.2579205334186554}, 1e-6);
  check_near(cast(state[3], DType::float64).to_vector<double>(),
             {0.05725468695163727, 0.06541312485933304, 0.0016024673823267221}, 1e-7);
  CHECK(state[2].name() == "x_momentum");
  CHECK(state[3].name() == "x_velocity");
}

TEST_CASE("optimizers: Adam in float64 follows its formula") {
  const auto adam = nn::Adam({.learning_rate = 0.05, .beta_1 = 0.8, .beta_2 = 0.99});
  const auto values = descend(*adam, DType::float64, 20);
  const double rate = static_cast<double>(0.05F);  // the learning rate is float32 as floatx() is
  for (std::size_t k = 0; k < 3; ++k) {
    double x = kStart[k], m = 0, v = 0;
    for (int i = 0; i < 20; ++i) {
      const double g = 2 * x - kTarget[k] + 0.1 * i;
      m += (g - m) * (1 - 0.8);
      v += (g * g - v) * (1 - 0.99);
      const double alpha = rate * std::sqrt(1 - std::pow(0.99, i + 1)) / (1 - std::pow(0.8, i + 1));
      x -= m * alpha / (std::sqrt(v) + 1e-7);
      CHECK(values[static_cast<std::size_t>(i)][k] == doctest::Approx(x).epsilon(1e-12));
    }
  }
}

TEST_CASE("optimizers: the learning rate is in floatx") {
  nn::set_floatx(DType::float64);
  const auto adam = nn::Adam();
  nn::set_floatx(DType::float32);
  CHECK(adam->learning_rate().dtype() == DType::float64);
  CHECK(adam->learning_rate().value().item() == 0.001);
  adam->set_learning_rate(0.1);
  CHECK(adam->learning_rate().dtype() == DType::float64);
  CHECK(adam->learning_rate().value().item() == 0.1);
  CHECK(nn::Adam()->learning_rate().value().item() == 0.0010000000474974513);
}

TEST_CASE("optimizers: 20 steps of SGD, with momentum, with Nesterov's") {
  const auto plain = nn::SGD({.learning_rate = 0.05});
  auto x = descend(*plain, DType::float32, 20);
  check_near(x[0], {0.9150000214576721, -1.8350000381469727, 0.5049999952316284}, 2e-7);
  check_near(x[19], {-0.307448148727417, -1.1113898754119873, -0.016867179423570633}, 1e-6);
  CHECK(plain->variables().size() == 2);

  const auto momentum = nn::SGD({.learning_rate = 0.05, .momentum = 0.9});
  x = descend(*momentum, DType::float32, 20);
  check_near(x[1], {0.7570000290870667, -1.5429999828338623, 0.5090000033378601}, 2e-7);
  check_near(x[19], {-0.5163557529449463, -1.8780241012573242, -0.42655643820762634}, 1e-6);
  REQUIRE(momentum->variables().size() == 3);
  check_near(cast(momentum->variables()[2], DType::float64).to_vector<double>(),
             {-0.04682936519384384, -0.0028833672404289246, -0.031008806079626083}, 1e-6);

  const auto nesterov = nn::SGD({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true});
  x = descend(*nesterov, DType::float32, 20);
  check_near(x[1], {0.6293350458145142, -1.3084150552749634, 0.511745035648346}, 2e-7);
  check_near(x[19], {-0.7028313279151917, -1.5027618408203125, -0.4108062982559204}, 1e-6);
}

TEST_CASE("optimizers: state stands in Keras's order, slots of each weight together") {
  const Variable a(zeros({2}), {.name = "kernel"});
  const Variable b(zeros({3}), {.name = "bias"});
  const auto adam = nn::Adam();
  CHECK(adam->variables().size() == 2);
  adam->build({a, b});
  std::vector<std::string> names;
  for (const Variable& variable : adam->variables()) names.push_back(variable.name());
  CHECK(names == std::vector<std::string>{"iteration", "learning_rate", "kernel_momentum",
                                          "kernel_velocity", "bias_momentum", "bias_velocity"});
  adam->build({a, b});
  CHECK(adam->variables().size() == 6);
}

TEST_CASE("optimizers: the learning rate is a float32 variable that may change between steps") {
  const Variable x(scalar(1), {.name = "x"});
  const auto sgd = nn::SGD({.learning_rate = 0.001});
  CHECK(sgd->learning_rate().value().item() == 0.0010000000474974513);
  sgd->build({x});
  sgd->set_learning_rate(0.5);
  sgd->apply({scalar(1)});
  CHECK(x.value().item() == 0.5);
  sgd->learning_rate().assign(scalar(0.25));
  sgd->apply({scalar(1)});
  CHECK(x.value().item() == 0.25);
  CHECK(sgd->iterations().value().item<int>() == 2);
}

TEST_CASE("optimizers: wrong options, names and counts are errors") {
  using test::error_of;
  CHECK(error_of<ValueError>([] {
          nn::SGD({.momentum = 1.5});
        }).ends_with("momentum 1.5; expected a number in 0..1"));
  CHECK(error_of<ValueError>([] {
          nn::Adam({.learning_rate = -1});
        }).ends_with("learning_rate -1; expected a finite number of at least 0"));
  CHECK(error_of<ValueError>([] {
          nn::Adam({.beta_1 = 1});
        }).ends_with("beta_1 1; expected a number in 0..1, less than 1"));
  CHECK(error_of<ValueError>([] {
          nn::Adam({.epsilon = 0});
        }).ends_with("epsilon 0; expected a positive number"));
  CHECK(error_of<ValueError>([] { nn::Optimizer::by_name("adma"); }).find("\"adam\"") !=
        std::string::npos);
  const Variable x(scalar(1)), y(scalar(1));
  const auto sgd = nn::SGD();
  sgd->build({x});
  CHECK(error_of<ValueError>([&] {
          sgd->build({y});
        }).ends_with("the optimizer was built for other variables"));
  CHECK(error_of<ValueError>([&] { sgd->apply({}); }).ends_with("got 0 gradients for 1 variables"));
}

}  // namespace
}  // namespace milgrad
