// Asking the processor and the libraries.
#include "examples/mil/system_facts.h"

#include "backends/availability.h"
#include "backends/cpu/simd_target.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <H5public.h>
#include <cblas.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {
namespace {

using nlohmann::json;

std::string cpu_model() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> features;
#if defined(__x86_64__)
  const auto add = [&](const char* name, bool present) {
    if (present) features.emplace_back(name);
  };
  add("sse4.2", __builtin_cpu_supports("sse4.2"));
  add("avx", __builtin_cpu_supports("avx"));
  add("avx2", __builtin_cpu_supports("avx2"));
  add("fma", __builtin_cpu_supports("fma"));
  add("avx512f", __builtin_cpu_supports("avx512f"));
  add("avx512bw", __builtin_cpu_supports("avx512bw"));
  add("avx512dq", __builtin_cpu_supports("avx512dq"));
  add("avx512vl", __builtin_cpu_supports("avx512vl"));
  add("avx512vnni", __builtin_cpu_supports("avx512vnni"));
  add("avx512bf16", __builtin_cpu_supports("avx512bf16"));
#endif
  return features;
}

BackendFact backend_fact(const std::string& name, milgrad::Device device) {
  const milgrad::Availability availability = milgrad::availability(device);
  return {name, availability.available, availability.reason};
}

/// "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." has the version as its second word.
std::string openblas_version() {
  std::istringstream words(openblas_get_config());
  std::string name;
  std::string version;
  words >> name >> version;
  return version;
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace

SystemFacts system_facts() {
  const char* core_variable = std::getenv("OPENBLAS_CORETYPE");
  return {.version = MILGRAD_VERSION,
          .compiler = "g++ " __VERSION__,
          .backends = {backend_fact("cpu", milgrad::Device::cpu()),
                       backend_fact("cuda", milgrad::Device::cuda())},
          .cpu_model = cpu_model(),
          .cpu_features = cpu_features(),
          .processors = static_cast<int>(std::thread::hardware_concurrency()),
          .simd_target = milgrad::simd_target(),
          .openblas_version = openblas_version(),
          .openblas_core = openblas_get_corename(),
          .openblas_core_variable = core_variable == nullptr ? "" : core_variable,
          .hdf5_version = hdf5_version()};
}

json to_json(const SystemFacts& facts) {
  json backends = json::object();
  for (const BackendFact& backend : facts.backends) {
    backends[backend.name] = {{"available", backend.available}, {"reason", backend.reason}};
  }
  return {{"version", facts.version},
          {"compiler", facts.compiler},
          {"backends", backends},
          {"cpu",
           {{"model", facts.cpu_model},
            {"features", facts.cpu_features},
            {"processors", facts.processors}}},
          {"simd_target", facts.simd_target},
          {"openblas",
           {{"version", facts.openblas_version},
            {"core", facts.openblas_core},
            {"coretype_variable", facts.openblas_core_variable}}},
          {"hdf5_version", facts.hdf5_version}};
}

std::vector<std::string> warnings(const SystemFacts& facts) {
  const auto& features = facts.cpu_features;
  const bool avx512 = std::find(features.begin(), features.end(), "avx512f") != features.end();
  if (avx512 && facts.openblas_core == "Haswell" && !facts.openblas_core_variable.empty()) {
    return {
        fmt::format("this processor has AVX-512, but OPENBLAS_CORETYPE={} makes OpenBLAS use "
                    "its {} core; unset it for faster matrix products",
                    facts.openblas_core_variable, facts.openblas_core)};
  }
  return {};
}

}  // namespace mil
