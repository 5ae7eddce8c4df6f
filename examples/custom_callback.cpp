// A callback of your own: it raises the learning rate over the first epochs, logs it, and ends the
// training once it is good enough.
#include "milgrad.h"

#include <algorithm>
#include <iostream>

using namespace milgrad;

namespace {

struct WarmUpOptions {
  double learning_rate = 0.01;
  /// Epochs until the learning rate is reached; it grows linearly.
  int epochs = 3;
};

class WarmUp final : public nn::Callback {
 public:
  explicit WarmUp(const WarmUpOptions& options) : options_(options) {}

  void on_epoch_begin(int epoch) override {
    const double share = std::min(1.0, (epoch + 1.0) / options_.epochs);
    run().model->optimizer().set_learning_rate(share * options_.learning_rate);
  }

  void on_epoch_end(int /*epoch*/, nn::Logs& logs) override {
    logs.set("learning_rate", run().model->optimizer().learning_rate().value().item());
  }

  std::vector<nn::Run::Key> added_keys() const override { return {{.name = "learning_rate"}}; }

 private:
  WarmUpOptions options_;
};

}  // namespace

int main() {
  nn::set_random_seed(1);
  const Tensor x = random_normal(RandomGenerator(1).next_key(), {500, 2});
  const Tensor y = cast(greater(sum(x, {1}), 0), DType::int64);
  const nn::SymbolicTensor input = nn::Input({2});
  nn::Model model(input, nn::Dense(2, {.activation = "softmax"})(input));
  model.compile({.loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});

  // A few lines need no class: LambdaCallback takes functions.
  const auto good_enough =
      nn::LambdaCallback({.on_epoch_end = [](nn::Run& run, int, nn::Logs& logs) {
        if (logs["accuracy"] >= 0.98) run.stop_training = true;
      }});
  const nn::History history = model.fit(
      x, y,
      {.epochs = 50,
       .callbacks = {std::make_shared<WarmUp>(WarmUpOptions{.learning_rate = 0.1}), good_enough},
       .verbose = 0});

  for (std::size_t i = 0; i < history.epoch.size(); ++i)
    std::cout << "epoch " << history.epoch[i] + 1 << ": learning rate "
              << history["learning_rate"][i] << ", accuracy " << history["accuracy"][i] << '\n';
}
