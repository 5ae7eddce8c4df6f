// Losses against Keras 3.15.1 on JAX: the numbers are what keras.losses.X(...)(y, p) gives in
// float32 for the same arrays, the gradients what jax.grad of it gives.
#include "autograd/grad.h"
#include "nn/class_weights.h"
#include "nn/losses.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tests/nn_support.h"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

void check_near(const Tensor& x, const std::vector<double>& expected, double tolerance = 2e-6) {
  const std::vector<double> values = cast(x, DType::float64).to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(tolerance));
  }
}

Tensor table(const std::vector<float>& values, Dim columns) {
  return tensor(values, {static_cast<Dim>(values.size()) / columns, columns});
}

const Tensor kProbabilities =
    table({0.25F, 0.75F, 1.0F, 0.0F, 1e-8F, 1.0F, 3.0F, 1.0F, 0.5F, 0.5F, 1 - 1e-8F, 1e-8F}, 2);
const Tensor kClasses = tensor<std::int32_t>({1, 1, 0, 0, 1, 0});
const Tensor kWeights = tensor<float>({1, 2, 0, 0.5, 1, 3});
const Tensor kLogits = table({2, -1, 0.5, 100, -100, 0, 0, 0, 0}, 3);

TEST_CASE("losses: sparse crossentropy of probabilities follows Keras, the clip included") {
  const nn::Loss each = nn::SparseCategoricalCrossentropy({.reduction = nn::Reduction::none});
  check_near(each(kClasses, kProbabilities),
             {0.28768208622932434, 16.11809539794922, 16.11809539794922, 0.28768208622932434,
              0.6931471824645996, 1.1920928955078125e-07});

  const nn::Loss total = nn::SparseCategoricalCrossentropy({.reduction = nn::Reduction::sum});
  const Tensor p = requires_grad(kProbabilities);
  check_near(grad(total(kClasses, p), p), {1, -1.0 / 3, 0, 0, 0, 0, -1.0 / 12, 0.25, 1, -1, 0, 0});
}

TEST_CASE("losses: reductions with sample weights") {
  const auto with = [](nn::Reduction reduction, const Tensor& weights) {
    return nn::SparseCategoricalCrossentropy({.reduction = reduction})(kClasses, kProbabilities,
                                                                       weights);
  };
  check_near(with(nn::Reduction::sum_over_batch_size, kWeights), {5.560142993927002});
  check_near(with(nn::Reduction::sum, kWeights), {33.36085891723633});
  check_near(with(nn::Reduction::mean_with_sample_weight, kWeights), {4.448114395141602});
  check_near(with(nn::Reduction::none, kWeights),
             {0.28768208622932434, 32.23619079589844, 0, 0.14384104311466217, 0.6931471824645996,
              3.5762786865234375e-07});
  check_near(with(nn::Reduction::mean_with_sample_weight, kWeights * 0.0), {0});
  check_near(with(nn::Reduction::sum_over_batch_size, reshape(kWeights, {6, 1})),
             {5.560142993927002});
}

TEST_CASE("losses: sparse crossentropy of logits is exact where probabilities are clipped") {
  const nn::Loss loss =
      nn::SparseCategoricalCrossentropy({.from_logits = true, .reduction = nn::Reduction::none});
  check_near(loss(tensor(std::vector<double>{2, 1, 0}, {3, 1}), kLogits),
             {1.7413113117218018, 200, 1.0986123085021973});
}

TEST_CASE("losses: categorical crossentropy, smoothed and from logits") {
  const Tensor t = table({0.2F, 0.3F, 0.5F, 0, 1, 0, 1, 0, 0}, 3);
  const Tensor p = table({0.1F, 0.2F, 0.7F, 0.5F, 0.5F, 0, 2, 1, 1}, 3);
  const auto with = [&](double smoothing, bool logits, const Tensor& predictions) {
    return nn::CategoricalCrossentropy(
        {.from_logits = logits, .label_smoothing = smoothing, .reduction = nn::Reduction::none})(
        t, predictions);
  };
  check_near(with(0, false, p), {1.1216858625411987, 0.6931471824645996, 0.6931471824645996});
  check_near(with(0.1, false, p), {1.151807188987732, 1.2073121070861816, 0.7393569946289062});
  check_near(with(0.1, true, kLogits), {1.8763113021850586, 190, 1.0986123085021973});
}

TEST_CASE("losses: binary crossentropy at the ends of the range") {
  const Tensor t = table({0, 1, 1, 0, 1}, 1);
  const Tensor p = table({1, 0, 0.9F, 0.2F, 1}, 1);
  const auto with = [&](double smoothing) {
    return nn::BinaryCrossentropy({.label_smoothing = smoothing, .reduction = nn::Reduction::none});
  };
  check_near(with(0)(t, p), {15.942384719848633, 16.11809539794922, 0.10536054521799088,
                             0.2231435328722, 1.1920928955078125e-07});
  check_near(with(0.2)(t, p), {14.348145484924316, 14.50628662109375, 0.3250828981399536,
                               0.36177295446395874, 1.594238042831421});
  check_near(nn::BinaryCrossentropy({.from_logits = true, .reduction = nn::Reduction::none})(
                 t, table({50, -50, 0.3F, -2, 0}, 1)),
             {50, 50, 0.554355263710022, 0.12692800164222717, 0.6931471824645996});
  check_near(with(0)(table({0, 1, 1, 0}, 2), table({0.3F, 0.6F, 0.4F, 0.1F}, 2)),
             {0.4337502717971802, 0.5108256340026855});

  const Tensor leaf = requires_grad(p);
  const nn::Loss total = nn::BinaryCrossentropy({.reduction = nn::Reduction::sum});
  check_near(grad(total(t, leaf), leaf), {0, 0, -1.1111111640930176, 1.25, 0});
  // Labels [n] stand beside predictions [n, 1] and [n] alike.
  check_near(with(0)(squeeze(t, {1}), squeeze(p, {1})) - with(0)(t, p), {0, 0, 0, 0, 0});
}

TEST_CASE("losses: squared and absolute error average over the last axis") {
  const Tensor t = table({0.5F, 1.5F, 2, 3}, 2);
  const Tensor p = table({1, 1, 2, 5}, 2);
  check_near(nn::MeanSquaredError({.reduction = nn::Reduction::none})(t, p), {0.25, 2});
  check_near(nn::MeanAbsoluteError({.reduction = nn::Reduction::none})(t, p), {0.5, 1});
  check_near(nn::Loss("mse")(t, p), {1.125});
}

TEST_CASE("losses: float64 predictions give float64 losses") {
  const Tensor p = tensor(std::vector<double>{0.3, 0.7}, {1, 2});
  const Tensor loss = nn::Loss("sparse_categorical_crossentropy")(tensor<std::uint8_t>({1}), p);
  CHECK(loss.dtype() == DType::float64);
  CHECK(loss.item() == doctest::Approx(-std::log(0.7)).epsilon(1e-15));
}

TEST_CASE("losses: labels that are no class name their row") {
  const nn::Loss loss("sparse_categorical_crossentropy");
  const Tensor p = table({0.5F, 0.5F, 0.5F, 0.5F}, 2);
  CHECK_THROWS_WITH_AS(
      loss(tensor<std::int32_t>({1, 2}), p),
      "[sparse_categorical_crossentropy] row 1 has the label 2; expected a whole number in 0..1 "
      "for 2 classes",
      ValueError);
  CHECK_THROWS_WITH_AS(
      loss(tensor<float>({0.5F, 1}), p),
      "[sparse_categorical_crossentropy] row 0 has the label 0.5; expected a whole number in 0..1 "
      "for 2 classes",
      ValueError);
  CHECK_THROWS_WITH_AS(loss(tensor<std::int64_t>({0, -1}), p),
                       "[sparse_categorical_crossentropy] row 1 has the label -1; expected a whole "
                       "number in 0..1 for 2 classes",
                       ValueError);
  CHECK_THROWS_WITH_AS(loss(p, p),
                       "[sparse_categorical_crossentropy] labels (2, 2) for predictions of 2 "
                       "classes; expected one class number per sample",
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::Loss("categorical_crossentropy")(tensor<float>({0, 1}), p),
                       "[categorical_crossentropy] labels (2,) for predictions (2, 2); expected "
                       "the same shape",
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::Loss("binary_crossentropy")(tensor<float>({0, 3}), table({0, 1}, 1)),
                       "[binary_crossentropy] row 1 has the label 3; expected values in 0..1",
                       ValueError);
}

TEST_CASE("losses: an unknown name tells the nearest") {
  CHECK_THROWS_AS(nn::Loss("mean_squared_eror"), ValueError);
  try {
    nn::Loss("mean_squared_eror");
  } catch (const ValueError& error) {
    CHECK(std::string(error.what()).find("mean_squared_error") != std::string::npos);
  }
  CHECK_THROWS_WITH_AS(nn::CategoricalCrossentropy({.label_smoothing = 2}),
                       "[categorical_crossentropy] label_smoothing 2; expected a number in 0..1",
                       ValueError);
}

TEST_CASE("class weights: total / (classes * count), as in the attention-MIL example") {
  const nn::ClassWeights weights =
      nn::compute_class_weights(tensor<std::uint8_t>({0, 1, 0, 0, 0, 1, 0, 0}), 2);
  CHECK(weights.at(0) == doctest::Approx(8.0 / (2 * 6)).epsilon(1e-15));
  CHECK(weights.at(1) == doctest::Approx(8.0 / (2 * 2)).epsilon(1e-15));
  CHECK_THROWS_WITH_AS(nn::compute_class_weights(tensor<float>({0, 0, 0}), 2),
                       "[compute_class_weights] no sample has class 1: the counts of classes 0..1 "
                       "are 3, 0",
                       ValueError);
  CHECK_THROWS_WITH_AS(nn::compute_class_weights(tensor<float>({0, 2, 1}), 2),
                       "[compute_class_weights] row 1 has the label 2; expected 0..1", ValueError);
}

TEST_CASE("class weights: each sample gets its class's weight, 1 where there is none") {
  const nn::ClassWeights weights{{0, 0.5}, {2, 4.0}};
  const Tensor labels = tensor(std::vector<std::int64_t>{2, 1, 0}, {3, 1});
  CHECK(nn::sample_weights(labels, weights, DType::float32).to_vector<float>() ==
        std::vector<float>{4, 1, 0.5});
  const Tensor one_hot_labels = table({1, 0, 0, 0, 0, 1}, 3);
  CHECK(nn::sample_weights(one_hot_labels, weights, DType::float64).to_vector<double>() ==
        std::vector<double>{0.5, 4});
  CHECK_THROWS_WITH_AS(nn::sample_weights(labels, {{1, -2.0}}, DType::float32),
                       "[class weights] class 1 has the weight -2; expected a finite number of at "
                       "least 0",
                       ValueError);
}

TEST_CASE("class weights: a label that is no number is no class") {
  CHECK(test::error_of<ValueError>([] {
          nn::compute_class_weights(tensor<float>({0, std::numeric_limits<float>::quiet_NaN()}), 1);
        }) == "[class weights] row 1 has the label nan; expected a class");
}

TEST_CASE("losses: as many labels as predictions, and a function to compute with") {
  CHECK(test::error_of<ShapeError>([] { nn::MeanSquaredError()(ones({1}), zeros({2})); }) ==
        "[mean_squared_error] labels (1,) for predictions (2,); expected as many samples");
  CHECK(test::error_of<ValueError>([] { nn::Loss("mine", nn::Loss::PerSample()); }) ==
        "[mine] the loss has no function");
}

}  // namespace
}  // namespace milgrad
