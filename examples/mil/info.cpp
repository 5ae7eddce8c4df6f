// `mil info`.
#include "examples/mil/commands.h"
#include "examples/mil/system_facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace mil {

ExitCode run_command(const InfoOptions&, Console& console) {
  const SystemFacts facts = system_facts();
  for (const std::string& line : warnings(facts)) console.warning(line);
  if (console.settings().json) {
    nlohmann::json report = to_json(facts);
    report["warnings"] = warnings(facts);
    console.result(report);
    return ExitCode::done;
  }
  const auto print = [&](std::string_view name, const std::string& value) {
    console.print(fmt::format("{:<14}{}", name, value));
  };
  print("mil", facts.version);
  print("compiler", facts.compiler);
  for (const BackendFact& backend : facts.backends) {
    print(backend.name, fmt::format("{}{}{}", backend.available ? "available" : "not available",
                                    backend.reason.empty() ? "" : ": ", backend.reason));
  }
  print("processor", facts.cpu_model);
  print("features", fmt::format("{}", fmt::join(facts.cpu_features, " ")));
  print("threads", fmt::format("{}", facts.processors));
  print("SIMD target", facts.simd_target);
  print("OpenBLAS", fmt::format("{}, {} core", facts.openblas_version, facts.openblas_core));
  print("HDF5", facts.hdf5_version);
  return ExitCode::done;
}

}  // namespace mil
