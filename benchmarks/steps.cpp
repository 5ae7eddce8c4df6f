// Whole train steps by fit(): batch, forward, loss, penalties, backward, optimizer and metrics.
#include "benchmarks/steps.h"

#include "backends/cpu/thread_pool.h"
#include "examples/mil/bags.h"
#include "examples/mil/dataset.h"
#include "examples/mil/example_model.h"
#include "nn/class_weights.h"
#include "nn/ensemble.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "tensor/error.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tensor/random.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

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

/// A model, what it is trained on and how; one iteration of its benchmark is one step of fit().
struct Training {
  nn::Model model;
  nn::OneOrMany<Tensor> inputs;
  Tensor labels;
  nn::FitOptions options;
};

nn::CompileOptions compiled_with(nn::Choice<nn::Optimizer> optimizer, bool eagerly) {
  return {.optimizer = std::move(optimizer),
          .loss = "sparse_categorical_crossentropy",
          .metrics = {"accuracy"},
          .run_eagerly = eagerly};
}

/// The Keras example: three digits a bag, gated attention, Adam, L2 penalty, class weights.
Training example(const Digits& data, bool eagerly) {
  const mil::RunBags bags = mil::draw_run_bags(data.images, {.test_bags = 1}, 0);
  nn::Model model = mil::make_model({}, bags.train.bag_size, {28, 28});
  model.compile(compiled_with(nn::Adam({.learning_rate = 1e-3}), eagerly));
  const Tensor labels = bags.train.label_tensor();
  return {model,
          bags.train.instances,
          labels,
          {.epochs = 1,
           .batch_size = 1,
           .class_weight = nn::compute_class_weights(labels, 2),
           .verbose = 0}};
}

/// Another model of the kind: five instances of 500 numbers, attention without a gate, momentum.
Training second_model() {
  const mil::ModelOptions shape{.gated = false, .attention_dim = 100, .dense = {96, 48}};
  nn::Model model = mil::make_model(shape, 5, {20, 25});
  model.compile(compiled_with(nn::SGD({.learning_rate = 1e-2, .momentum = 0.9}), false));
  const RandomGenerator random(3);
  Tensors instances;
  for (int i = 0; i < 5; ++i) instances.push_back(random_normal(random.next_key(), {1000, 20, 25}));
  const Tensor labels = cast(greater(random_uniform(random.next_key(), {1000}), 0.5), DType::int64);
  return {model, instances, labels, {.epochs = 1, .batch_size = 1, .verbose = 0}};
}

/// A plain network on single digits, 32 a step.
Training digits_mlp(const Digits& data) {
  const nn::SymbolicTensor input = nn::Input({784});
  const nn::SymbolicTensor hidden = nn::Dense(128, {.activation = "relu"})(input);
  nn::Model model(input, nn::Dense(10, {.activation = "softmax"})(hidden));
  model.compile(compiled_with(nn::Adam({.learning_rate = 1e-3}), false));
  constexpr Dim kCount = 9600;
  const auto& train = data.images.train;
  const Tensor pixels =
      tensor(std::span<const std::uint8_t>(train.images.data(), kCount * 784), {kCount, 784});
  std::vector<std::int64_t> labels(train.labels.begin(), train.labels.begin() + kCount);
  return {model,
          cast(pixels, DType::float32) / 255.0,
          tensor(labels, {kCount}),
          {.epochs = 1, .batch_size = 32, .verbose = 0}};
}

/// Whole epochs until Google Benchmark has enough steps.
void run_epochs(benchmark::State& state, Training training) {
  const auto epoch = [&] {
    training.model.fit(training.inputs, training.labels, training.options);
  };
  epoch();
  const std::int64_t steps = training.labels.size(0) / training.options.batch_size;
  while (state.KeepRunningBatch(steps)) epoch();
}

void example_step(benchmark::State& state, bool eagerly) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Digits data = digits();
  state.SetLabel(data.source);
  run_epochs(state, example(data, eagerly));
}

/// The first step of a new model: its trace, the passes, the plan, and the step itself.
void example_compile(benchmark::State& state) {
  set_num_threads(1);
  const Digits data = digits();
  const Training training = example(data, false);
  Tensors bag;
  for (const Tensor& instance : training.inputs)
    bag.push_back(slice(instance, {.axis = 0, .start = 0, .stop = 1}));
  const Tensor label = slice(training.labels, {.axis = 0, .start = 0, .stop = 1});
  for (auto _ : state) {
    state.PauseTiming();
    const Training fresh = example(data, false);
    state.ResumeTiming();
    nn::Model(fresh.model).train_on_batch(bag, label);
  }
}

void second_model_step(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  run_epochs(state, second_model());
}

void digits_mlp_step(benchmark::State& state) {
  set_num_threads(static_cast<int>(state.range(0)));
  const Digits data = digits();
  state.SetLabel(data.source);
  run_epochs(state, digits_mlp(data));
}

/// All members take one step per iteration.
void ensemble_step(benchmark::State& state) {
  const auto members = static_cast<int>(state.range(0));
  set_num_threads(static_cast<int>(state.range(1)));
  const Digits data = digits();
  const Training training = example(data, false);
  nn::Ensemble ensemble(members, [&](int) { return example(data, false).model; },
                        {.side_by_side = true});
  const auto epoch = [&] {
    ensemble.fit(training.inputs, training.labels, [&](int) { return training.options; });
  };
  epoch();
  const auto start = std::chrono::steady_clock::now();
  while (state.KeepRunningBatch(training.labels.size(0))) epoch();
  const std::chrono::duration<double, std::micro> elapsed =
      std::chrono::steady_clock::now() - start;
  state.counters["us_per_model_step"] =
      elapsed.count() / static_cast<double>(state.iterations()) / members;
  state.SetLabel(data.source);
}

/// The time for a message from one core to another and back, without which the figures of two
/// threads mean little: where a host moves its virtual cores apart it grows fourfold.
void core_to_core(benchmark::State& state) {
  alignas(64) std::atomic<std::int64_t> there{0};
  alignas(64) std::atomic<std::int64_t> back{0};
  std::thread other([&] {
    for (std::int64_t seen = 0; seen >= 0;) {
      const std::int64_t now = there.load(std::memory_order_acquire);
      if (now == seen) continue;
      seen = now;
      back.store(now, std::memory_order_release);
    }
  });
  std::int64_t count = 0;
  for (auto _ : state) {
    there.store(++count, std::memory_order_release);
    while (back.load(std::memory_order_acquire) != count) {
    }
  }
  there.store(-1, std::memory_order_release);
  other.join();
}

}  // namespace

void register_steps() {
  const auto add = [](const char* name, void (*run)(benchmark::State&)) {
    return benchmark::RegisterBenchmark(name, run)->Unit(benchmark::kMicrosecond);
  };
  benchmark::RegisterBenchmark("core_to_core", core_to_core);
  add("mil_step", [](benchmark::State& s) { example_step(s, false); })
      ->ArgName("threads")
      ->Arg(1)
      ->Arg(2);
  add("mil_step_eager", [](benchmark::State& s) { example_step(s, true); })
      ->ArgName("threads")
      ->Arg(1)
      ->Arg(2);
  add("mil_step_compile", example_compile)->Unit(benchmark::kMillisecond);
  add("second_model_step", second_model_step)->ArgName("threads")->Arg(1)->Arg(2);
  add("digits_mlp_step", digits_mlp_step)->ArgName("threads")->Arg(1)->Arg(2);
  add("ensemble_step", ensemble_step)->ArgNames({"", "threads"})->Args({16, 2});
}

}  // namespace milgrad::bench
