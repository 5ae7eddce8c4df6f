// Models run through programs as they do operation by operation, and what changes between steps
// takes effect.
#include "nn/callbacks.h"
#include "nn/ensemble.h"
#include "nn/metrics/mean.h"
#include "nn/seed.h"
#include "nn/trainer_state.h"
#include "tensor/mode.h"
#include "tensor/random.h"
#include "tests/support.h"
#include "tests/trainer_support.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace milgrad {
namespace {

using namespace test;
using nn::Logs;

/// Bags of three uint8 images, and labels that can be learnt: whether the first image is bright.
struct ImageBags {
  std::vector<Tensor> images;
  Tensor labels;
};

ImageBags image_bags(Dim count) {
  ImageBags bags;
  RandomGenerator generator(5);
  for (int i = 0; i < 3; ++i)
    bags.images.push_back(
        cast(random_uniform(generator.next_key(), {count, 28, 28}) * 255.0, DType::uint8));
  std::vector<std::int64_t> labels;
  for (Dim i = 0; i < count; ++i) labels.push_back(i % 2);
  bags.labels = tensor(labels, {count});
  return bags;
}

nn::Model trained_example(bool run_eagerly) {
  const nn::SeedScope seeds(11);
  nn::Model model = example_model(3);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = {"accuracy"},
                 .run_eagerly = run_eagerly});
  return model;
}

double greatest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector<float>(), y = b.to_vector<float>();
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(x[i]) - y[i]));
  return most;
}

/// The running loss after each batch.
struct LossCurve {
  std::vector<double> values;
  std::shared_ptr<nn::Callback> callback() {
    return nn::LambdaCallback(
        {.on_train_batch_end = [this](nn::Run&, std::int64_t, const nn::BatchLogs& logs) {
          values.push_back(logs.loss());
        }});
  }
};

TEST_CASE("nn programs: the example's training curve is that of the operations one by one") {
  const ImageBags bags = image_bags(50);
  LossCurve curves[2];
  nn::Model models[] = {trained_example(true), trained_example(false)};
  for (int i = 0; i < 2; ++i)
    models[i].fit(
        bags.images, bags.labels,
        {.batch_size = 1, .callbacks = {curves[i].callback()}, .verbose = 0, .shuffle_seed = 3});
  REQUIRE(curves[0].values.size() == 50);
  for (std::size_t i = 0; i < 50; ++i) {
    CAPTURE(i);
    CHECK(curves[1].values[i] == doctest::Approx(curves[0].values[i]).epsilon(1e-6));
  }
  const Tensors eager = models[0].get_weights(), program = models[1].get_weights();
  // Adam makes rounding grow where a gradient is near 0.
  for (std::size_t i = 0; i < eager.size(); ++i)
    CHECK(greatest_difference(program[i], eager[i]) <= 1e-4);
  // The same weights from here on.
  models[1].set_weights(eager);
  for (std::int64_t batch_size : {1, 7, 32}) {
    const Logs one = models[0].evaluate(bags.images, bags.labels, {.batch_size = batch_size});
    const Logs other = models[1].evaluate(bags.images, bags.labels, {.batch_size = batch_size});
    CHECK(other["loss"] == doctest::Approx(one["loss"]).epsilon(1e-6));
    CHECK(other["accuracy"] == one["accuracy"]);
    const Tensor p = models[0].predict(bags.images, {.batch_size = batch_size});
    const Tensor q = models[1].predict(bags.images, {.batch_size = batch_size});
    CHECK(greatest_difference(p, q) <= 1e-6);
  }
}

TEST_CASE("nn programs: batches of any size, sample weights and class weights") {
  const Data data = training_data();
  const Tensor weights = tensor<float>({1, 0.5, 2, 0, 1, 3});
  for (const nn::FitOptions& options :
       {nn::FitOptions{.batch_size = 4}, nn::FitOptions{.batch_size = 4, .sample_weight = weights},
        nn::FitOptions{.batch_size = 5, .class_weight = {{0, 2.0}, {1, 0.5}}},
        nn::FitOptions{.batch_size = 6, .shuffle = false}}) {
    nn::Model models[] = {compiled("adam"), compiled("adam")};
    models[0].trainer()->run_eagerly = true;
    std::vector<double> losses[2];
    for (int i = 0; i < 2; ++i) {
      nn::FitOptions own = options;
      own.epochs = 5;
      own.validation_data = validation();
      own.verbose = 0;
      own.shuffle_seed = 9;
      const nn::History history = models[i].fit(data.x, data.y, own);
      losses[i] = history["loss"];
      losses[i].insert(losses[i].end(), history["val_loss"].begin(), history["val_loss"].end());
    }
    check_near(losses[1], losses[0]);
  }
}

TEST_CASE("nn programs: a stream of batch sizes costs a handful of traces") {
  nn::Model model = compiled("adam"), eager = compiled("adam");
  eager.trainer()->run_eagerly = true;
  int calls = 0;
  const nn::Loss counting("counting", [&](const Tensor& y_true, const Tensor& y_pred) {
    ++calls;
    return sum(square(y_pred - one_hot(y_true, 2)), {1});
  });
  model.compile({.optimizer = "sgd", .loss = counting});
  const Tensor x = features(60, 7, 11, 5, 1);
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 60; ++i) labels.push_back(i % 2);
  const Tensor y = tensor(labels, {60});
  for (int i = 0; i < 100; ++i) {
    const SliceAttrs rows{.start = 0, .stop = 1 + (i * 17) % 60};
    model.train_on_batch(slice(x, {.stop = rows.stop}), slice(y, {.stop = rows.stop}));
  }
  CHECK(calls <= 5);
}

TEST_CASE("nn programs: learning rates, weights and files that change between steps take effect") {
  const Data data = training_data();
  nn::Model models[] = {compiled("sgd"), compiled("sgd")};
  models[0].trainer()->run_eagerly = true;
  const TemporaryDirectory folder;
  const auto path = folder / "start.weights.h5";
  models[0].save_weights(path);
  // Mean weights, put in place for an evaluation and taken out again, as by an EMA callback.
  std::vector<double> results[2];
  for (int i = 0; i < 2; ++i) {
    nn::Model& model = models[i];
    const auto step = [&] {
      results[i].push_back(model.train_on_batch(data.x, data.y)["loss"]);
      results[i].push_back(model.evaluate(data.x, data.y)["loss"]);
      results[i].push_back(model.predict(data.x).one().to_vector<float>()[0]);
    };
    step();
    model.optimizer().set_learning_rate(0.5);
    step();
    model.optimizer().learning_rate().assign(scalar(0.25));
    step();
    const Tensors now = model.get_weights();
    Tensors halved;
    for (const Tensor& weight : now) halved.push_back(weight * 0.5);
    model.set_weights(halved);
    results[i].push_back(model.evaluate(data.x, data.y)["loss"]);
    model.set_weights(now);
    step();
    model.load_weights(path);
    step();
  }
  check_near(results[1], results[0]);
  // Each change shows in the prediction behind the next step; the file also holds the learning
  // rate, so that the last step is the first one again.
  std::set<double> predictions;
  for (std::size_t i : {2, 5, 8, 12, 15}) predictions.insert(results[1][i]);
  CHECK(predictions.size() == 4);
  CHECK(results[1][15] == results[1][2]);
}

TEST_CASE("nn programs: dropout draws new numbers at every step, the same as without programs") {
  const auto run = [](bool run_eagerly) {
    const nn::SeedScope seeds(2);
    const auto input = nn::Input({4});
    nn::Model model(input, nn::Dense(2)(nn::Dropout(0.5)(nn::Dense(16)(input))));
    model.compile({.optimizer = "sgd", .loss = "mse", .run_eagerly = run_eagerly});
    std::vector<double> losses;
    const Tensor x = features(6, 7, 11, 5, 1);
    for (int i = 0; i < 6; ++i) losses.push_back(model.train_on_batch(x, zeros({6, 2}))["loss"]);
    return losses;
  };
  const std::vector<double> losses = run(false);
  check_near(losses, run(true));
  CHECK(std::set<double>(losses.begin(), losses.end()).size() == 6);
}

/// A layer that looks at values, which a trace cannot.
class Clamp final : public nn::Layer {
 public:
  Clamp() : Layer({.name = "clamp"}) {}
  std::string class_name() const override { return "Clamp"; }

 protected:
  Tensors call(const Tensors& inputs, nn::Mode) override {
    if (!inputs[0].shape().has_symbol() && max(inputs[0]).item() > 1)
      return {clip(inputs[0], -1, 1)};
    return inputs;
  }
};

TEST_CASE("nn programs: what reads values on the host is an error that names it and the cure") {
  const auto input = nn::Input({4});
  const auto make = [&](bool run_eagerly) {
    nn::Model model(input, nn::Dense(2)(nn::make_layer<Clamp>()(input)));
    model.compile({.optimizer = "sgd", .loss = "mse", .run_eagerly = run_eagerly});
    return model;
  };
  nn::Model model = make(false);
  const Tensor x = features(6, 7, 11, 5, 1), y = zeros({6, 2});
  const auto check = [&](const auto& f) {
    try {
      f();
      FAIL("nothing was thrown");
    } catch (const TraceError& error) {
      CHECK(std::string(error.what()) ==
            "[data] the elements of a traced tensor float32 () are not known (max, node 0, layer "
            "clamp)");
      CHECK(error.hint() ==
            "compute with tensor operations alone, or compile the model with {.run_eagerly = "
            "true}");
    }
  };
  check([&] { model.fit(x, y, {.verbose = 0}); });
  check([&] { model.evaluate(x, y); });
  check([&] { model.predict(x); });
  check([&] { model.train_on_batch(x, y); });
  nn::Model eager = make(true);
  CHECK(std::isfinite(eager.fit(x, y, {.verbose = 0})["loss"][0]));
  CHECK(eager.predict(x).one().shape() == Shape{6, 2});
  CHECK(std::isfinite(eager.evaluate(x, y)["loss"]));
}

/// Subtracts the mean over the batch: samples depend on one another.
class Centre final : public nn::Layer {
 public:
  Centre() : Layer({.name = "centre"}) {}
  std::string class_name() const override { return "Centre"; }

 protected:
  Tensors call(const Tensors& inputs, nn::Mode) override {
    return {inputs[0] - mean(inputs[0], {0}, true)};
  }
};

TEST_CASE("nn programs: larger batches are taken only where nobody can tell") {
  std::set<Dim> sizes;
  const auto seen_by = [&](nn::Model& model, const nn::EvaluateOptions& options) {
    sizes.clear();
    model.evaluate(features(20, 7, 11, 5, 1), zeros({20, 2}), options);
    return sizes;
  };
  const auto recording = [&](nn::Reduction reduction) {
    return nn::Loss(
        "recording",
        [&](const Tensor& y_true, const Tensor& y_pred) {
          sizes.insert(y_pred.size(0));
          return sum(square(y_true - y_pred), {1});
        },
        reduction);
  };
  const std::set<Dim> own{8, 4}, one{20};
  const auto input = nn::Input({4});
  const auto model_of = [&](const nn::SymbolicTensor& output, const nn::Loss& loss,
                            std::vector<nn::Choice<nn::Metric>> metrics) {
    nn::Model model(input, output);
    model.compile({.optimizer = "sgd", .loss = loss, .metrics = std::move(metrics)});
    return model;
  };
  const auto mean_loss = recording(nn::Reduction::sum_over_batch_size);
  nn::Model plain = model_of(nn::Dense(2)(input), mean_loss, {"accuracy"});
  CHECK(seen_by(plain, {.batch_size = 8}) == one);
  nn::Model watched = model_of(nn::Dense(2)(input), mean_loss, {"accuracy"});
  CHECK(seen_by(watched, {.batch_size = 8, .callbacks = {std::make_shared<EventRecorder>()}}) ==
        own);
  nn::Model summed = model_of(nn::Dense(2)(input), recording(nn::Reduction::sum), {});
  CHECK(seen_by(summed, {.batch_size = 8}) == own);
  nn::Model mixing = model_of(nn::Dense(2)(nn::make_layer<Centre>()(input)), mean_loss, {});
  CHECK(seen_by(mixing, {.batch_size = 8}) == own);
  nn::Model forced =
      model_of(nn::Dense(2)(nn::Dropout(0.5)(input, nn::Mode::train)), mean_loss, {});
  CHECK(seen_by(forced, {.batch_size = 8}) == own);
  const nn::ActivationFunction custom("custom", [](const Tensor& x) { return softmax(x, 0); });
  nn::Model own_activation = model_of(nn::Dense(2, {.activation = custom})(input), mean_loss, {});
  CHECK(seen_by(own_activation, {.batch_size = 8}) == own);
}

TEST_CASE("nn programs: evaluation by large batches gives the numbers of small ones") {
  const Tensor x = features(50, 7, 11, 5, 1);
  std::vector<std::int64_t> labels;
  std::vector<float> values;
  for (int i = 0; i < 50; ++i) {
    labels.push_back(i * i % 2);
    values.push_back(static_cast<float>(i % 5) * 0.5F);
  }
  const Tensor y = tensor(labels, {50}), weights = tensor(values, {50});
  nn::Model model = compiled("adam");
  model.fit(x, y, {.epochs = 2, .verbose = 0, .shuffle_seed = 1});
  const auto recorder = std::make_shared<EventRecorder>();
  for (const Tensor& sample_weight : {Tensor(), weights}) {
    const Logs large = model.evaluate(x, y, {.batch_size = 3, .sample_weight = sample_weight});
    const Logs own = model.evaluate(
        x, y, {.batch_size = 3, .sample_weight = sample_weight, .callbacks = {recorder}});
    CHECK(large["loss"] == doctest::Approx(own["loss"]).epsilon(1e-6));
    CHECK(large["accuracy"] == doctest::Approx(own["accuracy"]).epsilon(1e-12));
  }
  const Tensor large = model.predict(x, {.batch_size = 3});
  const Tensor own = model.predict(x, {.batch_size = 3, .callbacks = {recorder}});
  CHECK(greatest_difference(large, own) <= 1e-6);
}

TEST_CASE("nn programs: a model that is gone frees what its programs held") {
  const Tensor x = features(6, 7, 11, 5, 1), y = training_data().y;
  std::weak_ptr<nn::TrainerState> state;
  std::weak_ptr<Storage> weight;
  {
    nn::Model model = compiled("adam");
    model.fit(x, y, {.verbose = 0});
    model.predict(x);
    state = model.trainer();
    weight = model.weights()[0].variable.value().storage();
  }
  CHECK(state.expired());
  CHECK(weight.expired());
  CHECK(x.storage().use_count() == 1);
}

}  // namespace
}  // namespace milgrad
