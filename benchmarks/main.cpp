// milgrad_bench: Google Benchmark over the registry and over whole train steps.
// Environments that force an OpenBLAS core halve its speed, so the program starts itself again
// without OPENBLAS_* unless --keep-openblas-env is given, and prints the core that is used.
#include "benchmarks/ops.h"
#include "benchmarks/pathology.h"
#include "benchmarks/small.h"
#include "benchmarks/steps.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <cblas.h>
#include <unistd.h>

namespace {

/// Removes --keep-openblas-env from the arguments and says whether it was there.
bool take_keep_flag(int& argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--keep-openblas-env") != 0) continue;
    for (int j = i; j < argc; ++j) argv[j] = argv[j + 1];
    --argc;
    return true;
  }
  return false;
}

void restart_without_openblas_environment(char** argv) {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::strncmp(*entry, "OPENBLAS_", 9) == 0)
      names.emplace_back(*entry, std::strcspn(*entry, "="));
  if (names.empty()) return;
  for (const std::string& name : names) unsetenv(name.c_str());
  execv("/proc/self/exe", argv);  // returns only if it failed; then the core printed tells
}

}  // namespace

int main(int argc, char** argv) {
  if (!take_keep_flag(argc, argv)) restart_without_openblas_environment(argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("openblas_core", openblas_get_corename());
  benchmark::AddCustomContext("openblas_config", openblas_get_config());
  milgrad::bench::register_dense();
  milgrad::bench::register_ops();
  milgrad::bench::register_small();
  milgrad::bench::register_steps();
  milgrad::bench::register_pathology();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
