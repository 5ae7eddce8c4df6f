// Whole train steps of the Keras example: forward, loss, penalties, backward, Adam and metrics.
#include "benchmarks/steps.h"

#include "backends/cpu/thread_pool.h"
#include "examples/mil/bags.h"
#include "examples/mil/dataset.h"
#include "examples/mil/example_model.h"
#include "nn/class_weights.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "tensor/error.h"
#include "tensor/random.h"

#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>

namespace milgrad::bench {
namespace {

struct Digits {
  nn::data::ImageDataset images;
  std::string source;
};

/// Bytes of MNIST's shape where its files are not: four of five pixels are black, as there.
nn::data::ImageSet made_images(std::uint64_t seed, std::size_t count) {
  nn::data::ImageSet set{.images = {}, .labels = {}, .count = count, .rows = 28, .columns = 28};
  RandomSequence random({seed, 0});
  for (std::size_t i = 0; i < count * set.rows * set.columns; ++i)
    set.images.push_back(random.below(5) == 0 ? static_cast<std::uint8_t>(random.below(256)) : 0);
  for (std::size_t i = 0; i < count; ++i)
    set.labels.push_back(static_cast<std::uint8_t>(random.below(10)));
  return set;
}

Digits digits() {
  const char* data = std::getenv("MILGRAD_TEST_DATA");
  try {
    const std::string folder = data == nullptr ? "" : std::string(data) + "/mnist";
    return {mil::load_dataset({.data_dir = folder}), "MNIST"};
  } catch (const NotFoundError&) {
    Digits made{.images = {}, .source = "made pixels"};
    made.images.train = made_images(1, 10000);
    made.images.test = made_images(2, 2000);
    return made;
  }
}

void step_eager(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Digits data = digits();
  const mil::RunBags bags = mil::draw_run_bags(data.images, {.test_bags = 1}, 0);
  nn::Model model = mil::make_model({}, bags.train.bag_size, {28, 28});
  model.compile({.optimizer = nn::Adam({.learning_rate = 1e-3}),
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = {"accuracy"}});
  const Tensor labels = bags.train.label_tensor();
  const nn::ClassWeights weights = nn::compute_class_weights(labels, 2);
  const auto epoch = [&] {
    model.fit(bags.train.instances, labels,
              {.epochs = 1, .batch_size = 1, .class_weight = weights, .verbose = 0});
  };
  epoch();
  while (state.KeepRunningBatch(bags.train.count())) epoch();
  state.SetLabel(data.source);
}

}  // namespace

void register_steps() {
  benchmark::RegisterBenchmark("mil_step_eager", step_eager)
      ->ArgName("threads")
      ->Arg(1)
      ->Arg(2)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace milgrad::bench
