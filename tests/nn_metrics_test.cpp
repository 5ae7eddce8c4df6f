// Metrics against Keras 3.15.1 on JAX: the numbers are what keras.metrics.X gives after the same
// update_state calls.
#include "nn/metrics.h"
#include "tensor/ops.h"

#include <limits>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

const Tensor kProbabilities =
    tensor(std::vector<float>{0.1F, 0.9F, 0.5F, 0.5F, 0.3F, 0.7F, 0.8F, 0.2F}, {4, 2});

TEST_CASE("metrics: a mean of nothing is 0, values are weighted") {
  nn::Mean mean;
  CHECK(mean.result() == 0);
  mean.update(scalar(2), scalar(3));
  mean.update(tensor<float>({1, 5}));
  mean.update(scalar(10), scalar(0.5));
  CHECK(mean.result() == doctest::Approx(3.090909090909091).epsilon(1e-15));
  mean.reset();
  CHECK(mean.result() == 0);
}

TEST_CASE("metrics: a mean counts exactly beyond 2^24") {
  nn::Mean mean;
  mean.update(scalar(1), scalar(16777216));
  for (int i = 0; i < 3; ++i) mean.update(scalar(0));
  CHECK(mean.result() == 16777216.0 / 16777219.0);
}

TEST_CASE("metrics: sparse accuracy takes labels [n] and [n, 1], fractions match nothing") {
  const auto accuracy = nn::SparseCategoricalAccuracy();
  accuracy->update_state(tensor<std::int32_t>({1, 0, 0, 1}), kProbabilities);
  accuracy->update_state(tensor(std::vector<float>{1, 0.4F, 1, 0}, {4, 1}), kProbabilities);
  CHECK(accuracy->result() == 0.625);
  accuracy->reset_state();
  CHECK(accuracy->result() == 0);
  accuracy->update_state(tensor<std::uint8_t>({1, 0, 0, 1}), kProbabilities,
                         tensor<float>({1, 2, 3, 4}));
  CHECK(accuracy->result() == doctest::Approx(0.3).epsilon(1e-15));
  CHECK(accuracy->direction() == nn::Direction::up);
}

TEST_CASE("metrics: NaN counts as the greatest value, as on JAX") {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const auto accuracy = nn::SparseCategoricalAccuracy();
  accuracy->update_state(tensor<std::int32_t>({0, 1}),
                         tensor(std::vector<float>{kNaN, 0.5F, 0.1F, kNaN}, {2, 2}));
  CHECK(accuracy->result() == 1);
}

TEST_CASE("metrics: categorical and binary accuracy") {
  const auto categorical = nn::CategoricalAccuracy();
  categorical->update_state(tensor(std::vector<float>{0, 1, 0, 1, 1, 0, 1, 0}, {4, 2}),
                            kProbabilities);
  CHECK(categorical->result() == 0.5);

  const auto binary = nn::BinaryAccuracy();
  binary->update_state(tensor<std::int32_t>({1, 0, 0, 1, 1}),
                       tensor<float>({0.5F, 0.51F, 0.2F, 0.7F, 0.49F}));
  CHECK(binary->result() == doctest::Approx(0.4).epsilon(1e-15));

  const auto lower = nn::BinaryAccuracy({.threshold = 0.3});
  lower->update_state(tensor(std::vector<float>{1, 0, 0, 1}, {2, 2}),
                      tensor(std::vector<float>{0.5F, 0.2F, 0.4F, 0.7F}, {2, 2}));
  CHECK(lower->result() == 0.75);
}

TEST_CASE("metrics: accuracy chooses by shapes and keeps the name it was asked by") {
  for (const char* name : {"accuracy", "acc"}) {
    const auto metric = nn::Metric::by_name(name);
    CHECK(metric->name() == name);
    metric->update_state(tensor<std::int32_t>({1, 0, 0, 1}), kProbabilities);
    CHECK(metric->result() == 0.5);
    metric->reset_state();
    metric->update_state(tensor(std::vector<float>{0, 1, 0, 1, 1, 0, 1, 0}, {4, 2}),
                         kProbabilities);
    CHECK(metric->result() == 0.5);
    metric->reset_state();
    metric->update_state(tensor<std::int32_t>({1, 0, 1}),
                         tensor(std::vector<float>{0.9F, 0.8F, 0.2F}, {3, 1}));
    CHECK(metric->result() == doctest::Approx(1.0 / 3).epsilon(1e-15));
  }
}

TEST_CASE("metrics: errors by name have a direction") {
  const auto metric = nn::Metric::by_name("mse");
  CHECK(metric->name() == "mse");
  CHECK(metric->direction() == nn::Direction::down);
  metric->update_state(tensor(std::vector<float>{0, 2}, {2, 1}),
                       tensor(std::vector<float>{1, 5}, {2, 1}));
  CHECK(metric->result() == 5);
  CHECK_THROWS_AS(nn::Metric::by_name("acuracy"), ValueError);
}

TEST_CASE("metrics: updates stay out of the tape") {
  const Tensor p = requires_grad(kProbabilities);
  nn::Mean mean;
  mean.update(p);
  for (const Variable& variable : mean.variables()) CHECK_FALSE(variable.value().requires_grad());
  CHECK(mean.result() == doctest::Approx(0.5).epsilon(1e-6));
}

}  // namespace
}  // namespace milgrad
