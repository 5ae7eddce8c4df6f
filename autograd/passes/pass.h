// Passes: rewritings of a graph that keep what it computes, each of which can be turned off.
#pragma once

#include "autograd/graph.h"

#include <cstddef>
#include <set>
#include <span>
#include <string>

namespace milgrad {

/// A row of passes.def.
struct Pass {
  const char* name;
  const char* doc;
  void (*run)(Graph&);
};

/// One linked symbol (table.cpp), so that a test can link another table.
extern const Pass kPassTable[];

inline constexpr std::size_t kPassCount = 0
#define PASS(name, doc) +1
#include "autograd/passes/passes.def"
#undef PASS
    ;

/// All passes in the order in which they run.
std::span<const Pass> all_passes();

struct PassOptions {
  /// Names of passes that do not run.
  std::set<std::string> off = {};

  static PassOptions none();
  static PassOptions only(const std::set<std::string>& names);
  /// MILGRAD_PASSES: "none", "-chains,-dense" (all but these) or "chains,dense" (only these).
  static PassOptions from_environment();
};

/// Throws ValueError for an unknown name in the options.
void run_passes(Graph& graph, const PassOptions& options);

namespace passes {
#define PASS(name, doc) void name(Graph& graph);
#include "autograd/passes/passes.def"
#undef PASS
}  // namespace passes

}  // namespace milgrad
