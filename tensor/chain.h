// A chain: elementwise operations that one kernel runs together, tile by tile, so that what lies
// between them never leaves the cache.
#pragma once

#include "tensor/op.h"

#include <array>
#include <string>
#include <vector>

namespace milgrad {

/// Whether each element of the result depends on the elements at that place alone, after NumPy's
/// broadcasting of the operands. These are the operations that can stand in a chain.
bool is_elementwise(Op op);

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

/// A short list in place.
template <class T, int most>
struct ChainList {
  std::uint8_t count = 0;
  std::array<T, most> items = {};

  std::size_t size() const { return count; }
  bool empty() const { return count == 0; }
  void push_back(const T& item) { items[count++] = item; }
  const T& operator[](std::size_t i) const { return items[i]; }
  T& operator[](std::size_t i) { return items[i]; }
  const T* begin() const { return items.data(); }
  const T* end() const { return items.data() + count; }
};

/// The form that a kernel runs. Values are numbered anew: sources, then steps. All of a small chain
/// lies in a few cache lines, since a replay finds them cold.
struct alignas(64) ChainProgram {
  static constexpr int kMaxInputs = 16, kMaxSteps = 64, kMaxResults = 8, kMaxRegisters = 16;
  /// Functions besides the operations: numbered behind them.
  static constexpr int kCopy = kOpCount, kBoolToNumber = kOpCount + 1, kNumberToBool = kOpCount + 2;
  static constexpr int kFunctions = kOpCount + 3;
  static_assert(kFunctions <= 256, "a step holds a function in a byte");

  /// Sums over the first axes: a matrix of at most so many columns is summed in so many parts, each
  /// of which needs a double per column and sum as workspace.
  static constexpr std::int64_t kMostColumns = 512, kColumnParts = 64;

  /// An input as steps read it: bools as masks, or, where it is cast, any dtype as numbers.
  struct Source {
    std::uint8_t input;
    bool as_number;
  };
  struct Step {
    std::uint8_t function;  // an Op, or one of the above
    std::array<std::uint8_t, 3> operands;
    std::uint8_t place;    // register
    std::int8_t output;    // the output it goes to instead of a register, or -1
    std::uint8_t numbers;  // the first of its two numbers, if it has any
  };
  struct Sum {
    std::uint8_t value;
    std::uint8_t output;
  };
  struct Output {
    std::uint8_t step;
    std::uint8_t output;
  };
  ChainList<Output, kMaxResults> outputs;  // that are not summed
  ChainList<Sum, kMaxResults> sums;
  DType dtype = DType::float32;   // of the chain, unless a source has it:
  std::int8_t dtype_source = -1;  // this one
  std::uint8_t registers = 0;
  // Input 0 is read after output 0 was made: it must not be written in the same place at once.
  bool late_read = false;
  std::int64_t work = 1;  // per element, in elements of a plain loop
  ChainList<Source, 2 * kMaxInputs> sources;
  ChainList<Step, kMaxSteps> steps;
  std::vector<double> numbers;
};

class Chain {
 public:
  static constexpr int kMaxInputs = ChainProgram::kMaxInputs;
  static constexpr int kMaxInstructions = ChainProgram::kMaxSteps;
  static constexpr int kMaxResults = ChainProgram::kMaxResults;
  static constexpr int kMaxRegisters = ChainProgram::kMaxRegisters;

  /// Throws ValueError where numbers are out of range, an operation cannot stand in a chain, or the
  /// chain is larger than these limits.
  explicit Chain(ChainParts parts);

  const ChainParts& parts() const { return parts_; }
  const ChainProgram& program() const { return program_; }
  /// The dtype that the chain computes in, given its inputs' dtypes.
  DType dtype(std::span<const Spec> inputs) const;
  /// "t0 = mul(x0, x1); t1 = tanh(t0); return t1"
  std::string to_string() const;
  bool operator==(const Chain& other) const { return parts_ == other.parts_; }

 private:
  ChainProgram program_;
  ChainParts parts_;
};

}  // namespace milgrad
