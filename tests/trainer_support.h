// What the tests of training share: the model, samples and options that Keras was run with.
#pragma once

#include "nn/callbacks.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "nn/trainer.h"
#include "tests/nn_support.h"

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad::test {

struct Data {
  Tensor x;
  Tensor y;
};

/// ((0, 1, 2, ..) * factor % modulus) / divisor - offset, as [rows, 4].
inline Tensor features(int rows, int factor, int modulus, float divisor, float offset) {
  std::vector<float> values;
  for (int i = 0; i < rows * 4; ++i)
    values.push_back(static_cast<float>(i * factor % modulus) / divisor - offset);
  return tensor(values, {rows, 4});
}

inline Data training_data() {
  return {features(6, 7, 11, 5, 1), tensor<std::int64_t>({0, 1, 1, 0, 1, 1})};
}
inline Data validation_data() {
  return {features(3, 5, 7, 4, 0.7F), tensor<std::int64_t>({1, 0, 1})};
}

inline nn::Model small_model(DType dtype = DType::float32) {
  const auto x = nn::Input({4}, {.dtype = dtype});
  const auto hidden =
      nn::Dense(2, {.activation = "tanh", .kernel_regularizer = nn::L2(0.05), .dtype = dtype})(x);
  nn::Model model(x, nn::Dense(2, {.activation = "softmax", .dtype = dtype})(hidden));
  model.set_weights({ramp({4, 2}, 0.1) - 0.3, zeros({2}), ramp({2, 2}, 0.2) - 0.25, zeros({2})});
  return model;
}

inline nn::Model compiled(const nn::Choice<nn::Optimizer>& optimizer) {
  nn::Model model = small_model();
  model.compile(
      {.optimizer = optimizer, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
  return model;
}

inline void check_near(const std::vector<double>& values, const std::vector<double>& expected,
                       double tolerance = 1e-6) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(values[i] - expected[i]) <= tolerance);
  }
}

inline void check_weights(const nn::Model& model, const std::vector<double>& expected,
                          double tolerance = 1e-6) {
  std::vector<double> values;
  for (const Tensor& weight : model.get_weights())
    for (const float value : weight.to_vector<float>()) values.push_back(value);
  check_near(values, expected, tolerance);
}

inline nn::ValidationData validation() {
  const Data data = validation_data();
  return {data.x, data.y};
}

/// Writes down every event by its Keras name.
class EventRecorder final : public nn::Callback {
 public:
  void on_train_begin() override { add("train_begin"); }
  void on_train_end(const nn::Logs&) override { add("train_end"); }
  void on_epoch_begin(int epoch) override { add("epoch_begin", epoch); }
  void on_epoch_end(int epoch, nn::Logs&) override { add("epoch_end", epoch); }
  void on_train_batch_begin(std::int64_t batch) override { add("train_batch_begin", batch); }
  void on_train_batch_end(std::int64_t batch, const nn::BatchLogs&) override {
    add("train_batch_end", batch);
  }
  void on_test_begin() override { add("test_begin"); }
  void on_test_end(const nn::Logs&) override { add("test_end"); }
  void on_test_batch_begin(std::int64_t batch) override { add("test_batch_begin", batch); }
  void on_test_batch_end(std::int64_t batch, const nn::BatchLogs&) override {
    add("test_batch_end", batch);
  }
  void on_predict_begin() override { add("predict_begin"); }
  void on_predict_end() override { add("predict_end"); }

  std::string events;

 private:
  void add(const std::string& event, std::int64_t number = -1) {
    events += (events.empty() ? "" : " ") + event + (number < 0 ? "" : std::to_string(number));
  }
};

}  // namespace milgrad::test
