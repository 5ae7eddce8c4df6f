// A train step of attention-based MIL at the size of a pathology slide (CLAM's small model: Ilse et
// al., 2018; Lu et al., 2021): one bag of N x 1,024 features, Dense 512 relu, gated attention of
// 256, Dense 2, softmax cross-entropy, Adam. Its arithmetic is matrix products, so its rate is set
// beside that of one large SGEMM by OpenBLAS's own two threads, measured between the steps. And a
// smaller model on a stream of bags of a thousand sizes, beside bags of one size.
#include "benchmarks/pathology.h"

#include "autograd/compile.h"
#include "autograd/grad.h"
#include "autograd/program.h"
#include "autograd/trace.h"
#include "backends/allocator.h"
#include "backends/cpu/thread_pool.h"
#include "nn/optimizers.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tensor/random.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <cblas.h>

namespace milgrad::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Dim kFeatures = 1024, kUnits = 512, kHidden = 256;

/// Multiplications and additions that one instance needs: two products with the weights of the
/// Dense layer (its input needs no gradient), three with V and U, and the pooling.
constexpr double kFlopsPerInstance =
    2.0 * (2 * kFeatures * kUnits + 3 * kUnits * 2 * kHidden) + 6.0 * (kHidden + kUnits);

double seconds_of(const std::function<void()>& f) {
  const auto start = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One cblas_sgemm of 2048^3 by OpenBLAS's own threads.
class LargeProduct {
 public:
  static constexpr int kSize = 2048;
  static constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  LargeProduct() : a_(make()), b_(make()), c_(Tensor::empty(a_.spec())) {}

  double seconds(int threads) const {
    openblas_set_num_threads(threads);
    const double elapsed = seconds_of([&] {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kSize, kSize, kSize, 1.0f,
                  a_.data<float>().data(), kSize, b_.data<float>().data(), kSize, 0.0f,
                  reinterpret_cast<float*>(c_.raw_data()), kSize);
    });
    openblas_set_num_threads(1);
    // OpenBLAS's worker spins for a while before it sleeps and would disturb what comes next.
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    return elapsed;
  }

 private:
  static Tensor make() { return random_normal(RandomGenerator(7).next_key(), {kSize, kSize}); }
  Tensor a_, b_, c_;
};

struct Sizes {
  Dim features = kFeatures, units = kUnits, hidden = kHidden, classes = 2;
};

struct Model {
  RandomGenerator random{1};
  std::vector<Variable> weights;
  std::shared_ptr<nn::Optimizer> optimizer = nn::Adam({.learning_rate = 1e-4});

  explicit Model(const Sizes& s = {}) {
    const Shape shapes[] = {{s.features, s.units}, {s.units},  {s.units, s.hidden}, {s.hidden},
                            {s.units, s.hidden},   {s.hidden}, {s.hidden, 1},       {1},
                            {s.units, s.classes},  {s.classes}};
    for (const Shape& shape : shapes)
      weights.emplace_back(shape.rank() == 1 ? zeros(shape) : glorot(shape));
    optimizer->build(weights);
  }
  Tensor glorot(const Shape& shape) {
    const double stddev = std::sqrt(2.0 / static_cast<double>(shape[0] + shape[1]));
    return random_normal(random.next_key(), shape, {.stddev = stddev});
  }

  Tensor loss(const Tensor& features, const Tensor& label) const {
    const Tensor h = relu(linear(features, weights[0], weights[1]));
    const AttentionWeights attention{.value = weights[2],
                                     .gate = weights[4],
                                     .score = weights[6],
                                     .value_bias = weights[3],
                                     .gate_bias = weights[5],
                                     .score_bias = weights[7]};
    const Tensor pooled = gated_attention_pool(h, attention).pooled;
    return sum(sparse_softmax_cross_entropy(linear(pooled, weights[8], weights[9]), label));
  }

  /// features and label -> loss
  Tensors step(const Tensors& inputs) const {
    const Tensor value = loss(inputs[0], inputs[1]);
    const Tensors leaves(weights.begin(), weights.end());
    optimizer->apply(grad(Tensors{value}, leaves));
    return {value.stop_gradient()};
  }
};

struct Measured {
  std::vector<double> steps, products;
};

void report(benchmark::State& state, const Measured& measured) {
  const double flops = kFlopsPerInstance * static_cast<double>(state.range(0));
  const double rate = flops / median(measured.steps) / 1e9;
  const double sgemm = LargeProduct::kFlops / median(measured.products) / 1e9;
  state.counters["GFLOP/s"] = rate;
  state.counters["sgemm_GFLOP/s"] = sgemm;
  state.counters["share_of_sgemm"] = rate / sgemm;
}

void pathology_step(benchmark::State& state, bool compiled) {
  const auto threads = static_cast<int>(state.range(1));
  set_num_threads(threads);
  const Tensor features = random_normal(RandomGenerator(2).next_key(), {state.range(0), kFeatures});
  const LargeProduct product;
  product.seconds(threads);
  const std::size_t before = memory_statistics(Device::cpu()).in_use;
  reset_peak_memory(Device::cpu());
  const Tensor label = tensor<std::int64_t>({1});
  const Model model;
  const std::function<Tensors(const Tensors&)> step = [&](const Tensors& x) {
    return model.step(x);
  };
  std::optional<Program> program;
  if (compiled) program.emplace(trace(step, {features.spec(), label.spec()}));
  const Tensors inputs{features, label};
  const auto run = [&] { program ? (void)program->replay(inputs) : (void)step(inputs); };

  run();
  Measured measured;
  for (auto _ : state) {
    measured.steps.push_back(seconds_of(run));
    state.PauseTiming();
    measured.products.push_back(product.seconds(threads));
    state.ResumeTiming();
  }
  report(state, measured);
  const std::size_t peak = memory_statistics(Device::cpu()).peak_in_use;
  state.counters["peak_MB_beyond_features"] = static_cast<double>(peak - before) / 1e6;
}

/// Each iteration compiles the step twice, for bags of one size and for as many sizes as there are
/// bags, with as many instances in all; the times per step include tracing.
void size_stream(benchmark::State& state) {
  set_num_threads(1);
  constexpr Sizes kSizes{128, 64, 32, 2};
  const Dim count = state.range(0), smallest = 100;
  const Tensor instances =
      random_normal(RandomGenerator(2).next_key(), {smallest + count, kSizes.features});
  const Tensor label = tensor<std::int64_t>({1});
  const auto bag = [&](Dim size) {
    return Tensors{slice(instances, {.axis = 0, .start = 0, .stop = size}), label};
  };
  std::vector<Tensors> fixed, stream;
  for (Dim i = 0; i < count; ++i) {
    fixed.push_back(bag(smallest + count / 2));
    // A stride without a factor in common with the count meets every size once.
    stream.push_back(bag(smallest + i * 377 % count));
  }
  double fixed_seconds = 0, stream_seconds = 0;
  int traces = 0;
  for (auto _ : state) {
    const Model first(kSizes), second(kSizes);
    CompiledFunction of_one = compile([&](const Tensors& x) { return first.step(x); });
    CompiledFunction of_many = compile([&](const Tensors& x) { return second.step(x); });
    for (std::size_t i = 0; i < fixed.size(); ++i) {
      fixed_seconds += seconds_of([&] { of_one.replay(fixed[i]); });
      stream_seconds += seconds_of([&] { of_many.replay(stream[i]); });
    }
    traces = of_many.traces();
  }
  const double steps = static_cast<double>(count * state.iterations());
  state.counters["us_fixed"] = fixed_seconds / steps * 1e6;
  state.counters["us_stream"] = stream_seconds / steps * 1e6;
  state.counters["stream_over_fixed"] = stream_seconds / fixed_seconds;
  state.counters["traces"] = traces;
}

}  // namespace

void register_pathology() {
  for (const bool compiled : {true, false})
    benchmark::RegisterBenchmark(compiled ? "pathology_step" : "pathology_step_eager",
                                 pathology_step, compiled)
        ->ArgNames({"", "threads"})
        ->Args({10000, 2})
        ->Args({100000, 2})
        ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("size_stream", size_stream)
      ->Arg(1000)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace milgrad::bench
