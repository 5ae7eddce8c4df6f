// Benchmarks of every operation of the registry, at its own samples grown to a useful size.
#include "benchmarks/ops.h"

#include "tensor/apply.h"
#include "tests/registry/sample_tensors.h"

#include <chrono>
#include <string>

#include <benchmark/benchmark.h>

namespace milgrad::bench {
namespace {

constexpr Dim kScales[] = {128, 64, 16, 4, 1};
constexpr std::int64_t kMostElements = 1 << 20;

/// Every size but 1 times `scale`; segment offsets keep their count and span the grown rows.
Sample grown(const Sample& sample, Dim scale) {
  Sample result = sample;
  for (SampleInput& input : result.inputs) {
    if (input.domain == SampleInput::Domain::offsets) {
      input.limit *= scale;
      continue;
    }
    for (int axis = 0; axis < input.shape.rank(); ++axis)
      if (input.shape[axis] > 1) input.shape[axis] *= scale;
  }
  return result;
}

bool too_large(const Sample& sample) {
  for (const SampleInput& input : sample.inputs)
    if (input.shape.numel() > kMostElements) return true;
  return false;
}

struct Prepared {
  Tensors inputs;
  Attrs attrs;
  Cost cost;
};

/// The largest growth of the first sample that the shape rule still accepts.
Prepared prepare(const OpDef& def) {
  const Sample first = def.samples.value().front();
  for (Dim scale : kScales) {
    const Sample sample = grown(first, scale);
    if (scale > 1 && too_large(sample)) continue;
    Prepared prepared{.inputs = {}, .attrs = sample.attrs, .cost = {}};
    std::vector<Spec> specs;
    for (const Tensor& x : test::sample_tensors(sample, 1)) {
      prepared.inputs.push_back(x.dtype() == DType::float64 ? test::converted(x, DType::float32)
                                                            : x);
      specs.push_back(prepared.inputs.back().spec());
    }
    try {
      const auto outputs =
          def.infer.value({.op = def.name.value, .attrs = sample.attrs, .inputs = specs});
      prepared.cost = def.cost.value(specs, outputs, sample.attrs);
      return prepared;
    } catch (const Error&) {
      if (scale == 1) throw;
    }
  }
  throw ValueError("[benchmark] no sample fits");
}

void run(benchmark::State& state, Op op) {
  const Prepared prepared = prepare(definition(op));
  // Google Benchmark's own rates divide by the time of this thread alone.
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(apply(op, prepared.attrs, prepared.inputs));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  const double calls_per_ns = static_cast<double>(state.iterations()) / elapsed.count() / 1e9;
  state.counters["GFLOP/s"] = prepared.cost.flops * calls_per_ns;
  state.counters["GB/s"] = prepared.cost.bytes * calls_per_ns;
  if (!prepared.inputs.empty()) state.SetLabel(prepared.inputs[0].spec().to_string());
}

}  // namespace

void register_ops() {
  for (int i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    benchmark::RegisterBenchmark((std::string("op/") + name_of(op)).c_str(), run, op)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace milgrad::bench
