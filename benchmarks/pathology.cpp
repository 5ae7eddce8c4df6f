// A train step of attention-based MIL at the size of a pathology slide (CLAM's small model: Ilse et
// al., 2018; Lu et al., 2021): one bag of N x 1,024 features, Dense 512 relu, gated attention of
// 256, Dense 2, softmax cross-entropy, Adam. Its arithmetic is matrix products, so its rate is set
// beside that of one large SGEMM by OpenBLAS's own two threads, measured between the steps.
#include "benchmarks/pathology.h"

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

constexpr Dim kFeatures = 1024, kUnits = 512, kHidden = 256, kClasses = 2;

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

struct Model {
  RandomGenerator random{1};
  std::vector<Variable> weights;
  std::shared_ptr<nn::Optimizer> optimizer = nn::Adam({.learning_rate = 1e-4});
  AttentionPoolOptions pooling;

  explicit Model(AttentionPoolOptions::Gates gates) : pooling{.gates = gates} {
    const Shape shapes[] = {{kFeatures, kUnits}, {kUnits},  {kUnits, kHidden}, {kHidden},
                            {kUnits, kHidden},   {kHidden}, {kHidden, 1},      {1},
                            {kUnits, kClasses},  {kClasses}};
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
    const Tensor pooled = gated_attention_pool(h, attention, pooling).pooled;
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
  const Model model(AttentionPoolOptions::Gates::automatic);
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

}  // namespace

void register_pathology() {
  for (const bool compiled : {true, false})
    benchmark::RegisterBenchmark(compiled ? "pathology_step" : "pathology_step_eager",
                                 pathology_step, compiled)
        ->ArgNames({"", "threads"})
        ->Args({10000, 2})
        ->Args({100000, 2})
        ->Unit(benchmark::kMillisecond);
}

}  // namespace milgrad::bench
