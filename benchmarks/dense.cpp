// Benchmarks of dense layers with few rows, each beside OpenBLAS's products of the same sizes (and
// the update as a pass of its own), called in turns. `times_openblas` is the ratio of the shortest
// times: below 1 ours is faster.
#include "backends/cpu/thread_pool.h"
#include "benchmarks/bound_kernel.h"
#include "benchmarks/ops.h"

#include <algorithm>
#include <chrono>
#include <string>

#include <benchmark/benchmark.h>
#include <cblas.h>
#include <fmt/format.h>

namespace milgrad::bench {
namespace {

constexpr int kCallsPerTiming = 20;

template <class F>
double seconds_per_call(const F& f) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCallsPerTiming; ++i) f();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / kCallsPerTiming;
}

/// Times `ours`, and beside it `theirs`.
template <class Ours, class Theirs>
void compare(benchmark::State& state, int threads, const Ours& ours, const Theirs& theirs) {
  const int before = num_threads();
  set_num_threads(threads);
  openblas_set_num_threads(1);
  const cpu::KeepWorkersAwake awake;
  double best = 1, best_of_theirs = 1;
  for (auto _ : state) {
    const double seconds = seconds_per_call(ours);
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
    best_of_theirs = std::min(best_of_theirs, seconds_per_call(theirs));
  }
  state.counters["best_us"] = best * 1e6;
  state.counters["openblas_us"] = best_of_theirs * 1e6;
  state.counters["times_openblas"] = best / best_of_theirs;
  set_num_threads(before);
}

struct Sizes {
  int rows, k, n, threads;
};

Spec floats(const Shape& shape) { return {shape, DType::float32}; }

void dense_layer(benchmark::State& state, Sizes s) {
  const BoundKernel dense(Op::dense, DenseAttrs{Activation::relu},
                          {floats({s.rows, s.k}), floats({s.k, s.n}), floats({s.n})});
  compare(state, s.threads, dense, [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s.rows, s.n, s.k, 1,
                dense.input<float>(0), s.k, dense.input<float>(1), s.n, 0, dense.output<float>(),
                s.n);
  });
}

/// Weight gradient, input gradient and Adam.
void dense_update(benchmark::State& state, Sizes s) {
  const Spec x = floats({s.rows, s.k}), g = floats({s.rows, s.n}), w = floats({s.k, s.n}),
             size{{}, DType::float64};
  const BoundKernel ours(Op::adam_dense_update,
                         AdamDenseAttrs{.adam = {}, .update = {.input_gradient = true}},
                         {x, g, size, w, w, w}, 0b100100);
  const BoundKernel adam(Op::adam_update, AdamAttrs{}, {w, w, w, w, size}, 0b10100);
  *ours.input<double>(2) = *adam.input<double>(4) = 1e-9;  // or the weights would not stay finite
  compare(state, s.threads, ours, [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s.rows, s.k, s.n, 1, ours.input<float>(1),
                s.n, adam.input<float>(0), s.n, 0, ours.output<float>(), s.k);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s.k, s.n, s.rows, 1, ours.input<float>(0),
                s.k, ours.input<float>(1), s.n, 0, adam.input<float>(3), s.n);
    adam();
  });
}

}  // namespace

void register_dense() {
  for (const auto& [k, n] : {std::pair{784, 128},
                             {128, 64},
                             {64, 256},
                             {500, 96},
                             {48, 100},
                             {256, 1},
                             {192, 2},
                             {784, 512}})
    for (int rows : {1, 2, 3, 4, 5, 8, 9, 12, 16, 32, 64})
      for (int threads : {1, 2}) {
        const std::string sizes = fmt::format("{}x{}/rows:{}/threads:{}", k, n, rows, threads);
        const Sizes s{rows, k, n, threads};
        benchmark::RegisterBenchmark(("dense/" + sizes).c_str(), dense_layer, s)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
        benchmark::RegisterBenchmark(("dense_update/" + sizes).c_str(), dense_update, s)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
}

}  // namespace milgrad::bench
