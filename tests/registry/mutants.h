// Planner and passes of the mutation binary, which are broken on request.
#pragma once

#include <string>

namespace milgrad::test {

enum class ProgramMutation {
  none,
  frees_early,         // the planner lays a value over one that is read in the same step
  overwrites_operand,  // the planner lets an operation write over an operand that is read again
  drops_operation,     // a pass loses an operation of what it rewrote
  ignores_attributes,  // a pass takes operations for equal whose attributes differ
};

struct ProgramMutant {
  ProgramMutation mutation = ProgramMutation::none;
  std::string pass;  // the one that is broken
  int applied = 0;   // how often the mutation really changed something
};
extern ProgramMutant program_mutant;

}  // namespace milgrad::test
