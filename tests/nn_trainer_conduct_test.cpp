// Training where something is wrong, changes meanwhile, or goes on after a stop.
#include "autograd/trace.h"
#include "backends/flush_denormals.h"
#include "nn/callbacks.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "nn/trainer.h"
#include "nn/trainer_state.h"
#include "tensor/random.h"
#include "tests/nn_support.h"
#include "tests/support.h"
#include "tests/trainer_support.h"

#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace milgrad {
namespace {

using namespace test;
using nn::Logs;

TEST_CASE("trainer: NaN ends in an error where TerminateOnNaN raises one") {
  nn::Model model = compiled("sgd");
  Data data = training_data();
  std::vector<float> values = data.x.to_vector<float>();
  values[9] = std::numeric_limits<float>::quiet_NaN();
  data.x = tensor(values, {6, 4});
  CHECK(error_of<NonFiniteError>([&] {
          model.fit(data.x, data.y,
                    {.epochs = 2,
                     .batch_size = 2,
                     .callbacks = {nn::TerminateOnNaN({.raise_error = true})},
                     .verbose = 0,
                     .shuffle = false});
        }) == "[TerminateOnNaN] the loss is nan after batch 2 of epoch 1");
  // A callback is free again after the training it watched has thrown.
  const auto stopping = nn::EarlyStopping({.monitor = "val_loss"});
  CHECK(error_of<ValueError>([&] {
          model.fit(data.x, data.y, {.callbacks = {stopping}, .verbose = 0});
        }).starts_with("[EarlyStopping] there is no \"val_loss\" to monitor"));
}

TEST_CASE("trainer: what does not fit is refused before a weight changes") {
  nn::Model model = compiled("sgd");
  const Data data = training_data();
  const Tensors before = model.get_weights();
  const auto refusal = [&](const Tensor& x, const Tensor& y, const nn::FitOptions& options) {
    return error_of<Error>([&] { model.fit(x, y, options); });
  };
  const nn::FitOptions silent{.verbose = 0};
  CHECK(refusal(data.x, tensor<std::int64_t>({0, 1}), silent) ==
        "[fit] labels (2,) for inputs of 6 samples; expected one row per sample");
  CHECK(refusal(slice(data.x, {.stop = 0}), slice(data.y, {.stop = 0}), silent) ==
        "[fit] got inputs of 0 samples");
  CHECK(refusal(data.x, tensor<std::int64_t>({0, 1, 2, 0, 1, 1}), silent) ==
        "[sparse_categorical_crossentropy] row 2 has the label 2; expected a whole number in 0..1 "
        "for 2 classes");
  CHECK(refusal(reshape(data.x, {6, 2, 2}), data.y, silent) != "");
  CHECK(refusal(data.x, data.y, {.batch_size = 0, .verbose = 0}) ==
        "[batches] batch_size 0; expected 1 or more");
  CHECK(refusal(data.x, data.y, {.epochs = -1}) == "[fit] epochs -1 from 0; expected 0 or more");
  CHECK(refusal(data.x, data.y, {.validation_freq = 0}) ==
        "[fit] validation_freq 0; expected 1 or more");
  CHECK(refusal(data.x, data.y, {.verbose = 3}) == "[fit] verbose 3; expected 0, 1 or 2");
  CHECK(refusal(data.x, data.y,
                {.class_weight = {{0, 2.0}}, .sample_weight = ones({6}), .verbose = 0}) ==
        "[fit] got both sample_weight and class_weight");
  CHECK(refusal(data.x, data.y, {.sample_weight = ones({5}), .verbose = 0}) ==
        "[fit] sample_weight (5,) for inputs of 6 samples; expected one row per sample");
  const nn::ValidationData wrong{data.x, tensor<std::int64_t>({1})};
  CHECK(refusal(data.x, data.y, {.validation_data = wrong, .verbose = 0}) ==
        "[validation_data] labels (1,) for inputs of 6 samples; expected one row per sample");
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(model.get_weights()[i].to_vector<float>() == before[i].to_vector<float>());
  CHECK(model.fit(data.x, data.y, {.epochs = 0, .verbose = 0}).epoch.empty());
}

TEST_CASE("trainer: an uncompiled model and models of two outputs say what to do") {
  nn::Model model = small_model();
  const Data data = training_data();
  CHECK(error_of<ValueError>([&] { model.fit(data.x, data.y); }) ==
        "[fit] the model " + model.name() + " is not compiled");
  CHECK(error_of<ValueError>([&] { model.optimizer(); }) ==
        "[optimizer] the model " + model.name() + " is not compiled");
  nn::Model two(model.input(), nn::SymbolicTensors{model.output(), model.output()});
  CHECK(error_of<ValueError>([&] { two.compile({.loss = "mse"}); }) ==
        "[" + two.name() + "] compile() of a model with 2 outputs; expected one");
}

TEST_CASE("trainer: metrics of one name are numbered, copies of a model share their training") {
  nn::Model model = small_model();
  model.compile({.loss = "sparse_categorical_crossentropy", .metrics = {"accuracy", "accuracy"}});
  const nn::Model copy = model;
  const Data data = training_data();
  CHECK(nn::Model(copy).evaluate(data.x, data.y).names() == "loss, accuracy, accuracy_1");
}

TEST_CASE("trainer: denormal numbers are flushed inside of steps and nowhere else") {
  nn::Model model = small_model();
  bool in_step = false;
  const nn::Loss watching("watching", [&](const Tensor&, const Tensor& y_pred) {
    in_step = FlushDenormals::active();
    return sum(y_pred, {1});
  });
  model.compile({.optimizer = "sgd", .loss = watching});
  bool in_callback = true;
  const auto watch =
      nn::LambdaCallback({.on_train_batch_end = [&](nn::Run&, std::int64_t, const nn::BatchLogs&) {
        in_callback = FlushDenormals::active();
      }});
  const Data data = training_data();
  model.fit(data.x, data.y, {.callbacks = {watch}, .verbose = 0});
  CHECK(in_step);
  CHECK_FALSE(in_callback);
}

TEST_CASE("trainer: a train step can be traced, and its replay does the same") {
  nn::Model eager = compiled(nn::SGD({.learning_rate = 0.1, .momentum = 0.9}));
  eager.trainer()->run_eagerly = true;
  nn::Model traced = compiled(nn::SGD({.learning_rate = 0.1, .momentum = 0.9}));
  traced.trainer()->run_eagerly = true;
  const Data data = training_data();
  eager.train_on_batch(data.x, data.y);
  traced.train_on_batch(data.x, data.y);
  const Tensors before = traced.get_weights();
  nn::TrainerState& state = *traced.trainer();
  const Graph graph = trace(
      [&](const Tensors& batch) {
        state.train_step(traced, {{batch[0]}, batch[1], {}});
        return Tensors{};
      },
      {data.x.spec(), data.y.spec()});
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(traced.get_weights()[i].to_vector<float>() == before[i].to_vector<float>());

  for (int step = 0; step < 3; ++step) {
    const Logs logs = eager.train_on_batch(data.x, data.y);
    state.reset_metrics();
    graph.run({data.x, data.y});
    CHECK(state.results() == logs);
  }
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(traced.get_weights()[i].to_vector<float>() == eager.get_weights()[i].to_vector<float>());
}

TEST_CASE("trainer: a training saved with its optimizer goes on as if it had not stopped") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "half.weights.h5";
  const Data data = training_data();
  const auto train = [&](nn::Model& model, int from, int to) {
    model.fit(
        data.x, data.y,
        {.epochs = to, .batch_size = 2, .initial_epoch = from, .verbose = 0, .shuffle_seed = 3});
  };
  nn::Model whole = compiled("adam"), half = compiled("adam"), resumed = compiled("adam");
  train(whole, 0, 4);
  train(half, 0, 2);
  half.save_weights(path);
  std::vector<Variable> variables;
  for (const nn::Weight& weight : resumed.trainable_weights()) variables.push_back(weight.variable);
  resumed.optimizer().build(variables);
  CHECK(resumed.load_weights(path).skipped.empty());
  train(resumed, 2, 4);
  const Tensors expected = whole.get_weights(), weights = resumed.get_weights();
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(weights[i].to_vector<float>() == expected[i].to_vector<float>());
  CHECK(resumed.optimizer().iterations().value().item<int>() == 12);
}

TEST_CASE("trainer: two runs of one seed are equal bit by bit") {
  const auto run = [] {
    nn::Model model = compiled("adam");
    const Data data = training_data();
    model.fit(data.x, data.y, {.epochs = 3, .batch_size = 2, .verbose = 0, .shuffle_seed = 3});
    std::vector<float> values;
    for (const Tensor& weight : model.get_weights())
      for (const float value : weight.to_vector<float>()) values.push_back(value);
    return values;
  };
  CHECK(run() == run());
}

namespace {

/// Calls a function at one event, once.
class At : public nn::Callback {
 public:
  At(std::string event, std::function<void(nn::Run&)> action)
      : event_(std::move(event)), action_(std::move(action)) {}
  std::string seen;

  void on_train_begin() override { take("train+"); }
  void on_train_end(const Logs&) override { take("train-"); }
  void on_epoch_begin(int) override { take("epoch+"); }
  void on_epoch_end(int, Logs&) override { take("epoch-"); }
  void on_train_batch_end(std::int64_t, const nn::BatchLogs&) override { take("batch"); }
  void on_test_begin() override { take("test+"); }
  void on_test_end(const Logs&) override { take("test-"); }

 private:
  void take(const std::string& event) {
    seen += event + " ";
    if (event != event_ || done_) return;
    done_ = true;
    action_(run());
  }
  std::string event_;
  std::function<void(nn::Run&)> action_;
  bool done_ = false;
};

}  // namespace

// As Keras 3.15.1 does: model.stop_training set in on_train_begin or on_epoch_begin.
TEST_CASE("trainer: stopped before the first batch, that batch is still trained on") {
  const Data data = training_data();
  for (const char* event : {"train+", "epoch+", "batch"}) {
    const auto callback =
        std::make_shared<At>(event, [](nn::Run& run) { run.stop_training = true; });
    nn::Model model = compiled("sgd");
    const nn::History history = model.fit(data.x, data.y,
                                          {.epochs = 3,
                                           .batch_size = 3,
                                           .validation_data = nn::ValidationData{data.x, data.y},
                                           .callbacks = {callback},
                                           .verbose = 0});
    CHECK(callback->seen == "train+ epoch+ batch test+ test- epoch- train- ");
    CHECK(history.epoch == std::vector<int>{0});
    CHECK(history["loss"][0] > 0);
  }
}

TEST_CASE("trainer: a callback may compile the model anew; the running fit() goes on") {
  const Data data = training_data();
  const nn::FitOptions options{.epochs = 2, .batch_size = 3, .verbose = 0, .shuffle = false};
  nn::Model undisturbed = compiled("sgd");
  const nn::History expected = undisturbed.fit(data.x, data.y, options);
  for (const char* event : {"train+", "epoch+", "batch", "epoch-", "train-"}) {
    nn::Model model = compiled("sgd");
    nn::FitOptions own = options;
    own.callbacks = {std::make_shared<At>(event, [](nn::Run& run) {
      run.model->compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy"});
    })};
    CHECK(model.fit(data.x, data.y, own)["loss"] == expected["loss"]);
    CHECK(model.optimizer().iterations().value().item() == 0);
  }
}

TEST_CASE("trainer: a callback that evaluates with itself is back in its fit() afterwards") {
  const Data data = training_data();
  nn::Model model = compiled("sgd");
  std::shared_ptr<At> callback;
  callback = std::make_shared<At>("epoch+", [&](nn::Run& run) {
    run.model->evaluate(data.x, data.y, {.callbacks = {callback}});
  });
  const auto later = std::make_shared<At>("train-", [](nn::Run&) {});
  model.fit(data.x, data.y,
            {.batch_size = 3, .callbacks = {callback, callback, later}, .verbose = 0});
  CHECK(callback->seen ==
        "train+ train+ epoch+ test+ test- epoch+ batch batch batch batch epoch- epoch- train- "
        "train- ");
  CHECK(later->seen == "train+ epoch+ batch batch epoch- train- ");
}

TEST_CASE("trainer: an optimizer of another model is refused, not applied to its weights") {
  const Data data = training_data();
  const auto optimizer = nn::SGD({.learning_rate = 0.1});
  nn::Model first = compiled(optimizer), second = compiled(optimizer);
  first.fit(data.x, data.y, {.verbose = 0});
  const Tensor kept = first.get_weights()[0];
  const std::string message = optimizer->name();
  CHECK(error_of<ValueError>([&] { second.fit(data.x, data.y, {.verbose = 0}); }) ==
        "[" + message + "] the optimizer was built for other variables");
  CHECK(error_of<ValueError>([&] { second.train_on_batch(data.x, data.y); }) ==
        "[" + message + "] the optimizer was built for other variables");
  CHECK(first.get_weights()[0].to_vector<float>() == kept.to_vector<float>());
}

TEST_CASE("trainer: a batch size beyond all samples is one batch, however large") {
  const Data data = training_data();
  const auto loss_of = [&](std::int64_t batch_size) {
    nn::Model model = compiled("sgd");
    return model.fit(data.x, data.y,
                     {.batch_size = batch_size, .verbose = 0, .shuffle = false})["loss"];
  };
  CHECK(loss_of(std::numeric_limits<std::int64_t>::max()) == loss_of(6));
}

TEST_CASE("trainer: a loss that stays one value per sample is measured, but not trained on") {
  const Data data = training_data();
  nn::Model model = small_model();
  model.compile(
      {.optimizer = "sgd", .loss = nn::MeanSquaredError({.reduction = nn::Reduction::none})});
  const Tensor targets = zeros({6, 2});
  CHECK(model.evaluate(data.x, targets)["loss"] > 0);
  CHECK(error_of<ShapeError>([&] { model.fit(data.x, targets, {.verbose = 0}); }) ==
        "[mean_squared_error] the loss of a batch is (6,); training needs a single number");
}

TEST_CASE("trainer: missing labels and inputs, and weights of another shape") {
  const Data data = training_data();
  nn::Model model = compiled("sgd");
  CHECK(error_of<ValueError>([&] { model.fit(data.x, Tensor(), {.verbose = 0}); }) ==
        "[sparse_categorical_crossentropy] got no labels");
  CHECK(error_of<ValueError>([&] { model(Tensor()); }) ==
        fmt::format("[{}] input 0 ({}) is undefined", model.name(), model.input_names()[0]));
  CHECK(error_of<ShapeError>([&] {
          model.fit(data.x, data.y, {.sample_weight = ones({6, 6}), .verbose = 0});
        }) ==
        "[sparse_categorical_crossentropy] sample_weight (6, 6) for losses (6,); expected one "
        "per sample");
}

}  // namespace
}  // namespace milgrad
