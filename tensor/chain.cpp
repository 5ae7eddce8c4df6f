// Checks chains and turns them into the form that kernels run.
#include "tensor/chain.h"

#include "tensor/error.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad {
namespace {

/// Operands of an elementwise operation, else 0.
int operands_of(Op op) {
  switch (op) {
#define OP(name)
#define UNARY(name) \
  case Op::name:    \
    return 1;
#define BINARY(name) \
  case Op::name:     \
    return 2;
#define COMPARISON(name) BINARY(name)
#include "tensor/ops.def"
#undef OP
    case Op::elu:
    case Op::clip:
    case Op::isfinite:
    case Op::logical_not:
    case Op::cast:
      return 1;
    case Op::logical_and:
    case Op::logical_or:
    case Op::logical_xor:
      return 2;
    case Op::where:
      return 3;
    default:
      return 0;
  }
}

bool gives_bool(const ChainInstruction& instruction) {
  switch (instruction.op) {
#define OP(name)
#define COMPARISON(name) case Op::name:
#include "tensor/ops.def"
#undef OP
    case Op::isfinite:
    case Op::logical_not:
    case Op::logical_and:
    case Op::logical_or:
    case Op::logical_xor:
      return true;
    case Op::cast:
      return std::get<DTypeAttrs>(instruction.attrs).dtype == DType::boolean;
    default:
      return false;
  }
}

/// Whether operand `k` of the operation is a bool; a cast takes anything.
bool takes_bool(Op op, std::size_t k) {
  return op == Op::logical_not || op == Op::logical_and || op == Op::logical_or ||
         op == Op::logical_xor || (op == Op::where && k == 0);
}

void check_instruction(const ChainParts& parts, int number) {
  const ChainInstruction& instruction = parts.instructions[static_cast<std::size_t>(number)];
  const int wanted = operands_of(instruction.op);
  if (wanted == 0)
    throw ValueError(fmt::format("[chain] instruction {} is {}; expected an elementwise operation",
                                 number, name_of(instruction.op)));
  if (static_cast<int>(instruction.operands.size()) != wanted)
    throw ValueError(fmt::format("[chain] instruction {}, {}, has {} operands; expected {}", number,
                                 name_of(instruction.op), instruction.operands.size(), wanted));
  for (int operand : instruction.operands)
    if (operand < 0 || operand >= parts.inputs + number)
      throw ValueError(fmt::format("[chain] instruction {}, {}, reads value {}; expected 0..{}",
                                   number, name_of(instruction.op), operand,
                                   parts.inputs + number - 1));
}

void check_count(const char* what, std::size_t count, int most) {
  if (count < 1 || count > static_cast<std::size_t>(most))
    throw ValueError(fmt::format("[chain] got {} {}; expected 1..{}", count, what, most));
}

void check(const ChainParts& parts) {
  check_count("inputs", static_cast<std::size_t>(parts.inputs), Chain::kMaxInputs);
  check_count("instructions", parts.instructions.size(), Chain::kMaxInstructions);
  check_count("results", parts.results.size(), Chain::kMaxResults);
  for (std::size_t i = 0; i < parts.instructions.size(); ++i)
    check_instruction(parts, static_cast<int>(i));
  const int values = parts.inputs + static_cast<int>(parts.instructions.size());
  for (const ChainResult& result : parts.results) {
    if (result.value < parts.inputs || result.value >= values)
      throw ValueError(
          fmt::format("[chain] value {} is no result of an instruction; expected {}..{}",
                      result.value, parts.inputs, values - 1));
    if (std::count(parts.results.begin(), parts.results.end(), result) > 1)
      throw ValueError(fmt::format("[chain] value {} is returned twice", result.value));
    if (result.summed &&
        gives_bool(parts.instructions[static_cast<std::size_t>(result.value - parts.inputs)]))
      throw ValueError(
          fmt::format("[chain] value {} is bool; expected numbers to sum", result.value));
  }
}

/// Translates a chain step by step.
class Builder {
 public:
  explicit Builder(const ChainParts& parts) : parts_(parts) {}

  ChainProgram build() {
    add_sources();
    const int sources = static_cast<int>(program_.sources.size());
    for (std::size_t i = 0; i < parts_.instructions.size(); ++i)
      add_instruction(parts_.instructions[i], sources);
    add_results(sources);
    place_values(sources);
    program_.work = work();
    return std::move(program_);
  }

 private:
  /// A value as a bool or as a number; inputs that are read in both ways become two sources.
  struct Value {
    int as_is = -1;
    int as_number = -1;
  };

  bool reads_number(const ChainInstruction& instruction, int operand) const {
    return instruction.op == Op::cast && operand < parts_.inputs && !gives_bool(instruction);
  }

  void add_source(int input, bool as_number) {
    Value& value = values_[static_cast<std::size_t>(input)];
    int& number = as_number ? value.as_number : value.as_is;
    if (number >= 0) return;
    number = static_cast<int>(program_.sources.size());
    program_.sources.push_back({static_cast<std::uint8_t>(input), as_number});
  }

  void add_sources() {
    values_.resize(static_cast<std::size_t>(parts_.inputs));
    for (const ChainInstruction& instruction : parts_.instructions)
      for (std::size_t k = 0; k < instruction.operands.size(); ++k) {
        const int operand = instruction.operands[k];
        const bool as_number = reads_number(instruction, operand);
        if (operand < parts_.inputs) add_source(operand, as_number);
        if (instruction.op == Op::cast && !gives_bool(instruction))
          program_.dtype = std::get<DTypeAttrs>(instruction.attrs).dtype;
        if (operand < parts_.inputs && !as_number && !takes_bool(instruction.op, k) &&
            program_.dtype_source < 0)
          program_.dtype_source =
              static_cast<std::int8_t>(values_[static_cast<std::size_t>(operand)].as_is);
      }
  }

  bool is_result(std::size_t instruction) const {
    const int value = parts_.inputs + static_cast<int>(instruction);
    return std::any_of(parts_.results.begin(), parts_.results.end(),
                       [&](const ChainResult& result) { return result.value == value; });
  }

  /// A cast of an input to numbers is a way to read it, not a step, unless it is returned.
  void add_instruction(const ChainInstruction& instruction, int sources) {
    const std::size_t number = values_.size() - static_cast<std::size_t>(parts_.inputs);
    if (instruction.op == Op::cast) {
      const int operand = instruction.operands[0];
      const bool number_wanted = reads_number(instruction, operand);
      const Value from = values_[static_cast<std::size_t>(operand)];
      if (number_wanted && !is_result(number)) {
        values_.push_back({from.as_number, from.as_number});
        return;
      }
      const bool from_bool =
          operand >= parts_.inputs &&
          gives_bool(parts_.instructions[static_cast<std::size_t>(operand - parts_.inputs)]);
      const bool to_bool = gives_bool(instruction);
      add_step(from_bool == to_bool || number_wanted ? ChainProgram::kCopy
               : to_bool                             ? ChainProgram::kNumberToBool
                                                     : ChainProgram::kBoolToNumber,
               {number_wanted ? from.as_number : from.as_is}, nullptr, sources);
      return;
    }
    std::vector<int> operands;
    for (int operand : instruction.operands)
      operands.push_back(values_[static_cast<std::size_t>(operand)].as_is);
    add_step(static_cast<int>(instruction.op), operands,
             std::get_if<NumberAttrs>(&instruction.attrs), sources);
  }

  void add_step(int function, const std::vector<int>& operands, const NumberAttrs* numbers,
                int sources) {
    ChainProgram::Step step{static_cast<std::uint8_t>(function), {}, 0, -1, 0};
    for (std::size_t k = 0; k < 3; ++k)
      step.operands[k] = static_cast<std::uint8_t>(operands[k < operands.size() ? k : 0]);
    if (numbers != nullptr) {
      step.numbers = static_cast<std::uint8_t>(program_.numbers.size());
      program_.numbers.insert(program_.numbers.end(), {numbers->a, numbers->b});
    }
    const int number = sources + static_cast<int>(program_.steps.size());
    program_.steps.push_back(step);
    values_.push_back({number, number});
  }

  void add_results(int sources) {
    for (std::size_t i = 0; i < parts_.results.size(); ++i) {
      const ChainResult& result = parts_.results[i];
      const int value = values_[static_cast<std::size_t>(result.value)].as_is;
      if (result.summed) {
        program_.sums.push_back({static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(i)});
      } else {
        const auto step = static_cast<std::uint8_t>(value - sources);
        program_.steps[step].output = static_cast<std::int8_t>(i);
        program_.outputs.push_back({step, static_cast<std::uint8_t>(i)});
      }
    }
  }

  /// Gives each step a register from its result to the last step that reads it.
  void place_values(int sources) {
    const auto steps = static_cast<int>(program_.steps.size());
    std::vector<int> last(static_cast<std::size_t>(sources + steps), -1);
    for (int i = 0; i < steps; ++i)
      for (int operand : program_.steps[static_cast<std::size_t>(i)].operands)
        last[static_cast<std::size_t>(operand)] = i;
    for (const ChainProgram::Sum& sum : program_.sums)
      last[static_cast<std::size_t>(sum.value)] = steps;
    for (const ChainProgram::Output& output : program_.outputs)
      for (std::size_t s = 0; s < program_.sources.size(); ++s)
        if (output.output == 0 && program_.sources[s].input == 0 && last[s] > output.step)
          program_.late_read = true;
    std::vector<int> free_from;  // per register: the first step that may overwrite it
    for (int i = 0; i < steps; ++i) {
      ChainProgram::Step& step = program_.steps[static_cast<std::size_t>(i)];
      if (step.output >= 0) continue;
      const auto found =
          std::find_if(free_from.begin(), free_from.end(), [&](int first) { return first <= i; });
      step.place = static_cast<std::uint8_t>(found - free_from.begin());
      const int until = std::max(i + 1, last[static_cast<std::size_t>(sources + i)]);
      found == free_from.end() ? free_from.push_back(until) : static_cast<void>(*found = until);
    }
    if (free_from.size() > Chain::kMaxRegisters)
      throw ValueError(fmt::format("[chain] {} values are needed at once; expected at most {}",
                                   free_from.size(), Chain::kMaxRegisters));
    program_.registers = static_cast<std::uint8_t>(free_from.size());
  }

  /// A plain loop does about as many operations in the time in which it reads and writes.
  std::int64_t work() const {
    constexpr double kPlain = 8;
    const Spec one{Shape{1}, DType::float32};
    double flops = 0;
    for (const ChainInstruction& instruction : parts_.instructions)
      flops += definition(instruction.op)
                   .cost.value({}, std::span<const Spec>(&one, 1), instruction.attrs)
                   .flops;
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(flops / kPlain));
  }

  const ChainParts& parts_;
  ChainProgram program_;
  std::vector<Value> values_;  // inputs, then instructions
};

}  // namespace

bool is_elementwise(Op op) { return operands_of(op) > 0; }

Chain::Chain(ChainParts parts) : parts_(std::move(parts)) {
  check(parts_);
  program_ = Builder(parts_).build();
}

DType Chain::dtype(std::span<const Spec> inputs) const {
  if (program_.dtype_source < 0) return program_.dtype;
  const auto& source = program_.sources[static_cast<std::size_t>(program_.dtype_source)];
  return inputs[static_cast<std::size_t>(source.input)].dtype;
}

std::string Chain::to_string() const {
  const auto name = [&](int value) {
    return value < parts_.inputs ? fmt::format("x{}", value)
                                 : fmt::format("t{}", value - parts_.inputs);
  };
  std::string text;
  for (std::size_t i = 0; i < parts_.instructions.size(); ++i) {
    const ChainInstruction& instruction = parts_.instructions[i];
    text += fmt::format("t{} = {}(", i, name_of(instruction.op));
    for (std::size_t k = 0; k < instruction.operands.size(); ++k)
      text += (k > 0 ? ", " : "") + name(instruction.operands[k]);
    const std::string attributes = milgrad::to_string(instruction.attrs);
    text += (attributes.empty() ? "" : ", ") + attributes + "); ";
  }
  text += "return ";
  for (std::size_t i = 0; i < parts_.results.size(); ++i) {
    const ChainResult& result = parts_.results[i];
    text += i > 0 ? ", " : "";
    text += result.summed ? fmt::format("sum({}, {})", name(result.value),
                                        milgrad::to_string(Attrs(parts_.sum)))
                          : name(result.value);
  }
  return text;
}

bool ChainAttrs::operator==(const ChainAttrs& other) const {
  return chain == other.chain ||
         (chain != nullptr && other.chain != nullptr && *chain == *other.chain);
}

}  // namespace milgrad
