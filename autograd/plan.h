// The memory plan of a program: where each value lies, so that no two lie in one place at one time.
#pragma once

#include "autograd/graph.h"

#include <cstddef>
#include <string>
#include <vector>

namespace milgrad {

/// Where the elements of a value are.
struct Place {
  enum class Kind {
    nowhere,   // never computed: only its shape is read
    input,     // in argument `index`
    external,  // in the tensor of external `index`
    arena
  };
  Kind kind = Kind::nowhere;
  int index = 0;
  std::size_t offset = 0;  // in bytes
};

struct PlanOptions {
  /// An operation may write its result over an operand that nobody reads any more.
  bool in_place = true;
  /// Operands of a concat or stack along the leading axis are made side by side, not copied.
  bool side_by_side = true;
  /// Values whose lives do not overlap share memory.
  bool reuse = true;
};

/// A stretch of the arena and the operations (first to last) during which it is taken.
struct ArenaBlock {
  std::size_t offset = 0;
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct Plan {
  std::vector<Place> places;           // per value
  std::vector<bool> runs;              // per operation: whether its kernel is called
  std::vector<std::size_t> workspace;  // per operation: its offset in the arena
  std::vector<ArenaBlock> blocks;
  std::size_t arena_bytes = 0;
  std::size_t tensor_bytes = 0;  // what the values would take without sharing

  /// "arena 1.2 MB for 3.4 MB of tensors, 40 of 60 operations run"
  std::string to_string() const;
};

inline constexpr std::size_t kArenaAlignment = 64;

/// Plans a graph whose values have these specs, without symbols.
Plan plan_memory(const Graph& graph, const std::vector<Spec>& specs,
                 const PlanOptions& options = {});

}  // namespace milgrad
