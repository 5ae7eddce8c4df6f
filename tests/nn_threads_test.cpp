// What README says of threads: one model predicts on several of them, and models train side by
// side.
#include "nn/layers.h"
#include "nn/model.h"
#include "nn/seed.h"
#include "tensor/ops.h"
#include "tensor/random.h"

#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

nn::Model classifier() {
  const auto input = nn::Input({8});
  const auto hidden = nn::Dense(64, {.activation = "tanh"})(input);
  nn::Model model(input, nn::Dense(2, {.activation = "softmax"})(hidden));
  model.compile({.loss = "sparse_categorical_crossentropy"});
  return model;
}

/// f(0), f(1), f(2), each on a thread of its own.
template <class F>
std::vector<std::vector<float>> on_three_threads(const F& f) {
  std::vector<std::vector<float>> results(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i)
    threads.emplace_back([&, i] { results[i] = f(i); });
  for (std::thread& thread : threads) thread.join();
  return results;
}

Tensor samples() { return random_normal(RandomGenerator(1).next_key(), {256, 8}); }

std::vector<float> trained_predictions(std::uint64_t seed) {
  const nn::SeedScope scope(seed);
  nn::Model model = classifier();
  const Tensor x = samples();
  model.fit(x, argmax(slice(x, {.axis = 1, .stop = 2})),
            {.epochs = 2, .verbose = 0, .shuffle_seed = seed});
  return model.predict(x).one().to_vector<float>();
}

}  // namespace

TEST_CASE("nn threads: one model predicts on several threads at once") {
  const nn::SeedScope scope(3);
  const nn::Model model = classifier();
  const Tensor x = samples();
  const auto expected = model.predict(x).one().to_vector<float>();
  for (const auto& result :
       on_three_threads([&](std::size_t) { return model.predict(x).one().to_vector<float>(); }))
    CHECK(result == expected);
}

TEST_CASE("nn threads: models that train side by side come out as one after the other") {
  const auto together = on_three_threads([](std::size_t i) { return trained_predictions(i); });
  for (std::size_t i = 0; i < together.size(); ++i) CHECK(together[i] == trained_predictions(i));
  CHECK(together[0] != together[1]);
}

}  // namespace milgrad
