// A chain: elementwise operations that one kernel runs together, tile by tile, so that what lies
// between them never leaves the cache.
#pragma once

#include "tensor/op.h"

#include <array>
#include <string>
#include <vector>

namespace milgrad {

/// One elementwise operation. Its operands are values of the chain: numbers 0..inputs-1 are the
/// inputs, inputs + i is what instruction i computes.
struct ChainInstruction {
  Op op;
  Attrs attrs = NoAttrs{};
  std::vector<int> operands;
  bool operator==(const ChainInstruction&) const = default;
};

/// The result of an instruction that leaves the chain, as it is or summed over the chain's axes.
struct ChainResult {
  int value;
  bool summed = false;
  bool operator==(const ChainResult&) const = default;
};

/// All inputs broadcast to one shape, the chain's; every instruction works on that shape, in the
/// one floating dtype of the inputs, and results that are not summed have it.
struct ChainParts {
  int inputs = 0;
  std::vector<ChainInstruction> instructions = {};
  std::vector<ChainResult> results = {};
  ReduceAttrs sum = {};  // of the summed results; its axes are the last ones or the first ones
  bool operator==(const ChainParts&) const = default;
};

/// The form that a kernel runs. Values are numbered anew: sources, then steps.
struct ChainProgram {
  static constexpr int kNoValue = -1;
  /// Functions besides the operations: numbered behind them.
  static constexpr int kCopy = kOpCount, kBoolToNumber = kOpCount + 1, kNumberToBool = kOpCount + 2;
  static constexpr int kFunctions = kOpCount + 3;

  /// Sums over the first axes: a matrix of at most so many columns is summed in so many parts, each
  /// of which needs a double per column and sum as workspace.
  static constexpr std::int64_t kMostColumns = 512, kColumnParts = 64;

  /// An input as steps read it: bools as masks, or, where it is cast, any dtype as numbers.
  struct Source {
    int input;
    bool as_number;
  };
  struct Step {
    int function;  // an Op, or one of the above
    std::array<int, 3> operands;
    int place;   // register
    int output;  // the output it goes to instead of a register, or -1
    double a, b;
  };
  struct Sum {
    int value;
    int output;
  };
  struct Output {
    int step;
    int output;
  };
  std::vector<Source> sources;
  std::vector<Step> steps;
  std::vector<Output> outputs;  // that are not summed
  std::vector<Sum> sums;
  int registers = 0;
  std::int64_t work = 1;  // per element, in elements of a plain loop
  // Input 0 is read after output 0 was made: it must not be written in the same place at once.
  bool late_read = false;
  int dtype_source = -1;  // a source that has the dtype of the chain, or
  DType dtype = DType::float32;
};

class Chain {
 public:
  static constexpr int kMaxInputs = 16;
  static constexpr int kMaxInstructions = 64;
  static constexpr int kMaxResults = 8;
  static constexpr int kMaxRegisters = 16;

  /// Throws ValueError where numbers are out of range, an operation cannot stand in a chain, or the
  /// chain is larger than these limits.
  explicit Chain(ChainParts parts);

  /// Whether the operation can stand in a chain.
  static bool takes(Op op);

  const ChainParts& parts() const { return parts_; }
  const ChainProgram& program() const { return program_; }
  /// The dtype that the chain computes in, given its inputs' dtypes.
  DType dtype(std::span<const Spec> inputs) const;
  /// "t0 = mul(x0, x1); t1 = tanh(t0); return t1"
  std::string to_string() const;
  bool operator==(const Chain& other) const { return parts_ == other.parts_; }

 private:
  ChainParts parts_;
  ChainProgram program_;
};

}  // namespace milgrad
