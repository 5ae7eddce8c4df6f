// Ensembles: seeds of the members, averages, progress, interruption.
#include "nn/ensemble.h"
#include "nn/optimizers.h"
#include "nn/seed.h"
#include "tensor/random.h"
#include "tests/nn_support.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

nn::Model member(int /*index*/ = 0) {
  const auto x = nn::Input({3});
  const auto hidden = nn::Dense(4, {.activation = "tanh", .name = "hidden"})(x);
  nn::Model model(x, nn::Dense(2, {.activation = "softmax"})(hidden));
  model.compile({.optimizer = nn::Adam({.learning_rate = 0.1}),
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = {"accuracy"}});
  return model;
}

Tensor inputs() { return test::ramp({8, 3}, 0.1) - 1.0; }
Tensor labels() { return tensor<std::int64_t>({0, 1, 1, 0, 1, 0, 0, 1}); }

std::vector<float> values_of(const Tensor& x) { return x.to_vector<float>(); }

TEST_CASE("ensemble: members differ, a seed gives the same members whatever was built before") {
  nn::Ensemble first(3, member, {.seed = 5});
  nn::Dense(3)(nn::Input({2}));
  nn::Ensemble second(3, member, {.seed = 5});
  nn::Ensemble other(3, member, {.seed = 6});
  for (int i = 0; i < 3; ++i) {
    const auto kernel = [i](nn::Ensemble& e) { return values_of(e[i].get_weights()[0]); };
    CHECK(kernel(first) == kernel(second));
    CHECK(kernel(first) != kernel(other));
  }
  CHECK(values_of(first[0].get_weights()[0]) != values_of(first[1].get_weights()[0]));
  CHECK(first.seed(2) == derive_seed(5, 2));
  const nn::SeedScope seeds(first.seed(2));
  CHECK(values_of(member().get_weights()[0]) == values_of(first[2].get_weights()[0]));
}

TEST_CASE("ensemble: predictions and evaluations are means over the members") {
  nn::Ensemble ensemble(3, member, {.seed = 1});
  std::vector<std::pair<int, int>> progress;
  const auto histories = ensemble.fit(
      inputs(), labels(), [](int) { return nn::FitOptions{.epochs = 2, .verbose = 0}; },
      [&](int done, int members) { progress.emplace_back(done, members); });
  CHECK(histories.size() == 3);
  CHECK(progress == std::vector<std::pair<int, int>>{{0, 3}, {1, 3}, {2, 3}, {3, 3}});

  const Tensor averaged = ensemble.predict(inputs());
  const nn::Logs mean = ensemble.evaluate(inputs(), labels());
  CHECK(mean.names() == "loss, accuracy");
  double loss = 0;
  std::vector<double> total(16, 0);
  for (int i = 0; i < 3; ++i) {
    loss += ensemble[i].evaluate(inputs(), labels())["loss"] / 3;
    const Tensor own = ensemble[i].predict(inputs());
    for (std::size_t k = 0; k < total.size(); ++k) total[k] += own.data<float>()[k] / 3.0;
  }
  CHECK(mean["loss"] == doctest::Approx(loss).epsilon(1e-12));
  for (std::size_t k = 0; k < total.size(); ++k)
    CHECK(averaged.data<float>()[k] == doctest::Approx(total[k]).epsilon(1e-6));
}

TEST_CASE("ensemble: models cut from the members are averaged alike") {
  const nn::Ensemble ensemble(2, member, {.seed = 1});
  const nn::Ensemble hidden = ensemble.transform(
      [](const nn::Model& m) { return nn::Model(m.input(), m.get_layer("hidden").output()); });
  const Tensor averaged = hidden.predict(inputs());
  CHECK(averaged.shape() == Shape{8, 4});
  const Tensor a = hidden[0].predict(inputs()), b = hidden[1].predict(inputs());
  CHECK(averaged.data<float>()[5] ==
        doctest::Approx((a.data<float>()[5] + b.data<float>()[5]) / 2).epsilon(1e-6));
}

TEST_CASE("ensemble: the first members alone") {
  const nn::Ensemble ensemble(3, member, {.seed = 1});
  const nn::Ensemble part = ensemble.first(2);
  CHECK(part.size() == 2);
  CHECK(part.seed(1) == ensemble.seed(1));
  CHECK(values_of(part.predict(inputs())) != values_of(ensemble.predict(inputs())));
  CHECK(values_of(ensemble.first(1).predict(inputs())) == values_of(ensemble[0].predict(inputs())));
  CHECK(test::error_of<ValueError>([&] { ensemble.first(0); }) ==
        "[Ensemble] first(0) of 3 members; expected 1 to 3");
  CHECK(test::error_of<ValueError>([&] { ensemble.first(4); }) ==
        "[Ensemble] first(4) of 3 members; expected 1 to 3");
}

TEST_CASE("ensemble: members shuffle with seeds of their own, repeatably") {
  const auto losses = [](std::uint64_t seed) {
    nn::Ensemble ensemble(2, member, {.seed = seed});
    std::vector<double> result;
    for (const auto& history : ensemble.fit(inputs(), labels(), [](int) {
           return nn::FitOptions{.epochs = 2, .batch_size = 2, .verbose = 0};
         }))
      result.push_back(history["loss"][1]);
    return result;
  };
  CHECK(losses(3) == losses(3));
  CHECK(losses(3) != losses(4));
  CHECK(losses(3)[0] != losses(3)[1]);
}

TEST_CASE("ensemble: an interruption ends the training of all") {
  nn::Ensemble ensemble(3, member);
  int calls = 0;
  const auto histories = ensemble.fit(inputs(), labels(), [&](int) {
    return nn::FitOptions{.epochs = 2, .verbose = 0, .interrupted = [&] { return ++calls > 2; }};
  });
  CHECK(histories.size() == 2);
  CHECK(histories.back().interrupted);
  CHECK(test::error_of<ValueError>([] { nn::Ensemble(0, member); }) ==
        "[Ensemble] 0 members; expected 1 or more");
}

TEST_CASE("ensemble: members that are not there") {
  CHECK(test::error_of<ValueError>([] { nn::Ensemble(1, nn::Ensemble::Factory()); }) ==
        "[Ensemble] got an empty function; expected one that makes models");
  nn::Ensemble ensemble(2, [](int) {
    const auto x = nn::Input({4});
    return nn::Model(x, nn::Dense(1)(x));
  });
  CHECK(test::error_of<ValueError>([&] { ensemble[2]; }) ==
        "[Ensemble] there is no member 2; expected 0..1");
  CHECK(test::error_of<ValueError>([&] { ensemble.seed(-1); }) ==
        "[Ensemble] there is no member -1; expected 0..1");
}

}  // namespace
}  // namespace milgrad
