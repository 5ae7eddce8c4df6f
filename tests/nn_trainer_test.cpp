// compile, fit, evaluate, predict and train_on_batch. The numbers come from Keras 3.15.1 on JAX:
// the same model (Dense 2 tanh with L2 0.05, Dense 2 softmax), weights, samples, order and options.
#include "nn/callbacks.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "nn/trainer.h"
#include "tensor/random.h"
#include "tests/nn_support.h"
#include "tests/trainer_support.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

using namespace test;
using nn::Logs;

TEST_CASE("trainer: evaluate gives the loss with its penalty, and weighs samples where asked") {
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  const Data unseen = validation_data();
  const Logs logs = model.evaluate(unseen.x, unseen.y);
  CHECK(logs.names() == "loss, accuracy");
  check_near({logs["loss"], logs["accuracy"]}, {0.6816290020942688, 2.0 / 3});
  check_near({model.evaluate(data.x, data.y, {.batch_size = 4})["loss"]}, {0.7509726881980896});
  check_near({model.evaluate(data.x, data.y,
                             {.sample_weight = tensor<float>({1, 2, 3, 4, 5, 6})})["loss"]},
             {2.556610584259033});
}

TEST_CASE("trainer: fit follows Keras epoch by epoch, class weights in the training loss only") {
  nn::Model model = compiled(nn::SGD({.learning_rate = 0.1}));
  const Data data = training_data();
  const auto recorder = std::make_shared<EventRecorder>();
  const nn::History history = model.fit(data.x, data.y,
                                        {.epochs = 3,
                                         .batch_size = 4,
                                         .validation_data = validation(),
                                         .class_weight = {{0, 0.75}, {1, 1.5}},
                                         .callbacks = {recorder},
                                         .verbose = 0,
                                         .shuffle = false});
  CHECK(history.names() ==
        std::vector<std::string>{"accuracy", "loss", "val_accuracy", "val_loss"});
  CHECK(history.epoch == std::vector<int>{0, 1, 2});
  check_near(history["loss"], {0.9147574305534363, 0.8407793045043945, 0.7873298525810242});
  check_near(history["accuracy"], {1.0 / 6, 2.0 / 3, 2.0 / 3}, 1e-12);
  check_near(history["val_loss"], {0.65757155418396, 0.6451513767242432, 0.640325129032135});
  check_near(history["val_accuracy"], {2.0 / 3, 2.0 / 3, 2.0 / 3}, 1e-12);
  check_weights(model,
                {-0.28563118, -0.190824553, -0.084167786, 0.008484288, 0.080064908, 0.176096514,
                 0.262514591, 0.358861566, 0.039911218, 0.035412751, -0.207074374, -0.092925623,
                 0.209904715, 0.290095299, -0.245550945, 0.245550931});
  const Tensor p = model.predict(validation_data().x);
  check_near(cast(p, DType::float64).to_vector<double>(),
             {0.3771103322505951, 0.6228896379470825, 0.3975071907043457, 0.6024928092956543,
              0.3756265640258789, 0.6243734359741211});
  CHECK(recorder->events.starts_with(
      "train_begin epoch_begin0 train_batch_begin0 train_batch_end0 train_batch_begin1 "
      "train_batch_end1 test_begin test_batch_begin0 test_batch_end0 test_end epoch_end0 "
      "epoch_begin1"));
  CHECK(recorder->events.ends_with(
      "test_begin test_batch_begin0 test_batch_end0 test_end epoch_end2 train_end"));
}

TEST_CASE("trainer: four epochs of Adam at batch size 1 follow Keras") {
  nn::Model model = compiled(nn::Adam({.learning_rate = 0.05, .exact_keras_scalars = true}));
  const Data data = training_data();
  const nn::History history = model.fit(data.x, data.y,
                                        {.epochs = 4,
                                         .batch_size = 1,
                                         .validation_data = validation(),
                                         .verbose = 0,
                                         .shuffle = false});
  check_near(history["loss"],
             {0.7371180653572083, 0.6433297991752625, 0.5852200984954834, 0.5258895754814148});
  check_near(history["val_loss"],
             {0.7019407749176025, 0.6836012005805969, 0.7486384510993958, 0.9024942517280579});
  check_near(history["accuracy"], {1.0 / 3, 0.5, 2.0 / 3, 2.0 / 3}, 1e-12);
  check_weights(model,
                {-0.074047588, -0.068948582, -0.063053451, -0.064333431, 0.21923241, 0.220337704,
                 0.439573348, 0.462219089, -0.22585012, -0.222364336, 0.402585, -0.702584982,
                 0.830029011, -0.330029011, -0.188071221, 0.188071236},
                5e-6);
  CHECK(model.optimizer().iterations().value().item<int>() == 24);
}

TEST_CASE("trainer: sample weights, validation in some epochs only") {
  nn::Model model = compiled(nn::SGD({.learning_rate = 0.1}));
  const Data data = training_data();
  const nn::History history = model.fit(data.x, data.y,
                                        {.epochs = 2,
                                         .batch_size = 4,
                                         .validation_data = validation(),
                                         .validation_freq = 2,
                                         .sample_weight = tensor<float>({1, 2, 3, 4, 5, 6}),
                                         .verbose = 0,
                                         .shuffle = false});
  check_near(history["loss"], {2.54494571685791, 2.135493040084839}, 3e-6);
  check_near(history["val_loss"], {0.658898651599884});
}

TEST_CASE("trainer: train_on_batch resets the metrics and tells the loss before the step") {
  nn::Model model = compiled(nn::Adam({.learning_rate = 0.05}));
  const Data data = training_data();
  Logs logs = model.train_on_batch(data.x, data.y, {.class_weight = {{0, 0.75}, {1, 1.5}}});
  CHECK(logs.names() == "loss, accuracy");
  check_near({logs["loss"], logs["accuracy"]}, {0.926146924495697, 1.0 / 6});
  logs = model.train_on_batch(data.x, data.y, {.sample_weight = tensor<float>({1, 2, 3, 4, 5, 6})});
  check_near({logs["loss"], logs["accuracy"]}, {2.383892297744751, 2.0 / 3}, 2e-6);
}

TEST_CASE("trainer: batch logs are running means of the epoch") {
  nn::Model model = compiled(nn::SGD({.learning_rate = 0}));
  const Data data = training_data();
  std::vector<double> losses;
  std::vector<std::string> names;
  const auto watch = nn::LambdaCallback(
      {.on_train_batch_end = [&](nn::Run&, std::int64_t, const nn::BatchLogs& logs) {
        losses.push_back(logs.loss());
        names.push_back(logs.all().names());
      }});
  const nn::History history = model.fit(
      data.x, data.y, {.batch_size = 4, .callbacks = {watch}, .verbose = 0, .shuffle = false});
  REQUIRE(losses.size() == 2);
  CHECK(names[0] == "accuracy, loss");
  CHECK(losses[1] == history["loss"][0]);
  const double rest = (6 * losses[1] - 4 * losses[0]) / 2;  // the last two samples
  const Logs last = model.evaluate(slice(data.x, {.start = 4}), slice(data.y, {.start = 4}));
  CHECK(rest == doctest::Approx(last["loss"]).epsilon(1e-6));
}

/// The order in which fit() takes the samples: sample i is the number i.
std::vector<std::vector<float>> orders_of(std::uint64_t seed, int epochs, std::int64_t batch_size,
                                          int initial_epoch = 0) {
  const auto input = nn::Input({1});
  nn::Model model(input, nn::Dense(1)(input));
  std::vector<float> seen;
  const nn::Loss watching("watching", [&](const Tensor& y_true, const Tensor& y_pred) {
    for (const float y : y_true.to_vector<float>()) seen.push_back(y);
    return sum(y_pred, {1}) * 0.0;
  });
  model.compile({.optimizer = "sgd", .loss = watching, .run_eagerly = true});
  const Tensor x = reshape(arange(0, 10), {10, 1});
  model.fit(x, reshape(x, {10}),
            {.epochs = epochs,
             .batch_size = batch_size,
             .initial_epoch = initial_epoch,
             .verbose = 0,
             .shuffle_seed = seed});
  std::vector<std::vector<float>> orders;
  for (std::size_t i = 0; i < seen.size(); i += 10)
    orders.emplace_back(seen.begin() + static_cast<std::ptrdiff_t>(i),
                        seen.begin() + static_cast<std::ptrdiff_t>(i) + 10);
  return orders;
}

TEST_CASE("trainer: each epoch has the documented order of its seed, for any batch size") {
  const auto orders = orders_of(7, 3, 1);
  REQUIRE(orders.size() == 3);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    RandomSequence random({derive_seed(7, epoch), 0});
    const auto expected = random_permutation(random, 10);
    CHECK(std::equal(orders[epoch].begin(), orders[epoch].end(), expected.begin()));
    CHECK(std::set<float>(orders[epoch].begin(), orders[epoch].end()).size() == 10);
  }
  CHECK(orders[0] != orders[1]);
  CHECK(orders_of(7, 3, 4) == orders);
  CHECK(orders_of(8, 1, 1)[0] != orders[0]);
  CHECK(orders_of(7, 3, 1, 2)[0] == orders[2]);
}

TEST_CASE("trainer: a callback stops training behind a batch; the epoch still ends") {
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  const auto recorder = std::make_shared<EventRecorder>();
  const auto stop = nn::LambdaCallback(
      {.on_train_batch_end = [](nn::Run& run, std::int64_t batch, const nn::BatchLogs&) {
        run.stop_training = batch == 1;
      }});
  const nn::History history = model.fit(data.x, data.y,
                                        {.epochs = 3,
                                         .batch_size = 2,
                                         .validation_data = validation(),
                                         .validation_batch_size = 3,
                                         .callbacks = {recorder, stop},
                                         .verbose = 0});
  CHECK(history.epoch == std::vector<int>{0});
  CHECK_FALSE(history.interrupted);
  CHECK(recorder->events.ends_with(
      "train_batch_end1 test_begin test_batch_begin0 test_batch_end0 test_end epoch_end0 "
      "train_end"));
}

TEST_CASE("trainer: an interruption keeps history and best weights") {
  nn::Model model = compiled(nn::SGD({.learning_rate = 0.1}));
  const Data data = training_data();
  int steps = 0;
  Tensors after_first;
  const auto recorder = std::make_shared<EventRecorder>();
  const auto keep = nn::LambdaCallback(
      {.on_epoch_end = [&](nn::Run& run, int, Logs&) { after_first = run.model->get_weights(); }});
  const nn::History history =
      model.fit(data.x, data.y,
                {.epochs = 5,
                 .batch_size = 2,
                 .validation_data = validation(),
                 .callbacks = {nn::EarlyStopping({.patience = 9, .restore_best_weights = true}),
                               keep, recorder},
                 .verbose = 0,
                 .interrupted = [&] { return ++steps > 6; }});
  CHECK(history.interrupted);
  CHECK(history.epoch == std::vector<int>{0});
  CHECK(
      recorder->events.ends_with("epoch_begin1 train_batch_begin0 train_batch_end0 "
                                 "train_batch_begin1 train_batch_end1 train_end"));
  const Tensors weights = model.get_weights();
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(weights[i].to_vector<float>() == after_first[i].to_vector<float>());
}

TEST_CASE("trainer: values that callbacks add come last in the history and can be monitored") {
  class AddsScore final : public nn::Callback {
   public:
    void on_epoch_end(int epoch, Logs& logs) override { logs.set("a_score", 10 - epoch); }
    std::vector<nn::Run::Key> added_keys() const override {
      return {{"a_score", nn::Direction::up}};
    }
  };
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  const auto stopping = nn::EarlyStopping({.monitor = "a_score", .patience = 1});
  const nn::History history = model.fit(
      data.x, data.y,
      {.epochs = 5, .callbacks = {std::make_shared<AddsScore>(), stopping}, .verbose = 0});
  CHECK(history.names() == std::vector<std::string>{"accuracy", "loss", "a_score"});
  CHECK(history["a_score"] == std::vector<double>{10, 9});
}

TEST_CASE("trainer: progress goes to the given stream, one plain line per epoch off a terminal") {
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  std::ostringstream output;
  model.fit(data.x, data.y, {.epochs = 2, .batch_size = 2, .output = &output});
  const std::string text = output.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.starts_with("Epoch 1/2 - 3/3 - 0s - "));
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\b') == std::string::npos);
  CHECK(text.find("/step - accuracy: ") != std::string::npos);
  output.str("");
  model.evaluate(data.x, data.y, {.verbose = 1, .output = &output});
  CHECK(output.str().starts_with("1/1 - 0s - "));
  output.str("");
  model.predict(data.x, {.batch_size = 4, .verbose = 1, .output = &output});
  CHECK(output.str().starts_with("2/2 - 0s - "));
}

TEST_CASE("trainer: frozen layers are neither trained nor penalised from the next compile on") {
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  const double with_penalty = model.evaluate(data.x, data.y)["loss"];
  const Tensors before = model.get_weights();
  model.get_layer(1).set_trainable(false);
  model.compile({.optimizer = "sgd", .loss = "sparse_categorical_crossentropy"});
  const double without = model.evaluate(data.x, data.y)["loss"];
  double squares = 0;
  for (const float w : before[0].to_vector<float>()) squares += static_cast<double>(w) * w;
  CHECK(with_penalty - without == doctest::Approx(0.05 * squares).epsilon(1e-5));
  model.fit(data.x, data.y, {.epochs = 2, .verbose = 0});
  CHECK(model.get_weights()[0].to_vector<float>() == before[0].to_vector<float>());
  CHECK(model.get_weights()[2].to_vector<float>() != before[2].to_vector<float>());
}

TEST_CASE(
    "trainer: a trainable flag changed after compile is noticed, once, and does not count yet") {
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  const std::string name = model.get_layer(1).name();
  const Tensors before = model.get_weights();
  const auto said_by_fit = [&] {
    std::ostringstream output;
    model.fit(data.x, data.y, {.verbose = 0, .output = &output});
    return output.str();
  };
  CHECK(said_by_fit() == "");
  model.get_layer(1).set_trainable(false);
  CHECK(said_by_fit() == "Warning: set_trainable() was called after compile() for: " + name +
                             ". It takes effect at the next compile().\n");
  CHECK(said_by_fit() == "");
  CHECK(model.get_weights()[0].to_vector<float>() != before[0].to_vector<float>());
  model.get_layer(1).set_trainable(true);
  std::ostringstream output;
  model.evaluate(data.x, data.y, {.output = &output});
  CHECK(output.str().starts_with("Warning: set_trainable() was called"));
  model.compile({.optimizer = "sgd", .loss = "sparse_categorical_crossentropy"});
  CHECK(said_by_fit() == "");
}

TEST_CASE("trainer: predict joins batches and gives a list for several outputs") {
  nn::Model model = small_model();
  const Tensor x = training_data().x;
  const Tensor whole = model.predict(x);
  const Tensor cut = model.predict(x, {.batch_size = 4});
  CHECK(whole.shape() == Shape{6, 2});
  check_near(cast(cut, DType::float64).to_vector<double>(),
             cast(whole, DType::float64).to_vector<double>(), 1e-7);
  CHECK_FALSE(whole.requires_grad());
  const nn::Model both(model.input(),
                       nn::SymbolicTensors{model.get_layer(1).output(), model.output()});
  const nn::OneOrMany<Tensor> outputs = both.predict(x, {.batch_size = 5});
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].shape() == Shape{6, 2});
}

TEST_CASE("trainer: float64 models train in float64, images may be uint8") {
  nn::Model model = small_model(DType::float64);
  model.compile(
      {.optimizer = nn::SGD({.learning_rate = 0.1}), .loss = "sparse_categorical_crossentropy"});
  const Data data = training_data();
  const nn::History history =
      model.fit(cast(data.x, DType::float64), data.y,
                {.epochs = 1, .batch_size = 4, .verbose = 0, .shuffle = false});
  CHECK(model.get_weights()[0].dtype() == DType::float64);
  CHECK(history["loss"][0] != static_cast<double>(static_cast<float>(history["loss"][0])));

  nn::Model example = test::example_model(2);
  example.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy"});
  const Tensor images = zeros({4, 28, 28}, DType::uint8);
  const nn::History images_history = example.fit(
      {images, images}, tensor<std::uint8_t>({0, 1, 1, 0}), {.batch_size = 1, .verbose = 0});
  CHECK(std::isfinite(images_history["loss"][0]));
}

}  // namespace
}  // namespace milgrad
