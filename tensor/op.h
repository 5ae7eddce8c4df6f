// What an operation is: one constant OpDef per row of ops.def.
#pragma once

#include "tensor/attrs.h"
#include "tensor/tensor.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace milgrad {

/// Every operation of the library, in the order of ops.def.
enum class Op : std::uint16_t {
#define OP(name) name,
#include "tensor/ops.def"
#undef OP
};

inline constexpr int kOpCount = 0
#define OP(name) +1
#include "tensor/ops.def"
#undef OP
    ;

/// A field that a definition must give: without it the OpDef does not compile.
template <class T>
struct Required {
  Required() = delete;
  template <class U>
  requires std::convertible_to<U, T>
  constexpr Required(U&& given) : value(static_cast<T>(given)) {}  // NOLINT: implicit by intent
  T value;
};

/// Shapes and dtypes of the inputs, and the attributes, as a shape rule sees them.
struct InferArgs {
  const char* op;
  const Attrs& attrs;
  std::span<const Spec> inputs;

  template <class A>
  const A& get() const {
    return std::get<A>(attrs);
  }
  /// Of input i; ShapeError if there are fewer, so that a custom operation need not count them.
  const Shape& shape(int i) const { return spec(i).shape; }
  DType dtype(int i) const { return spec(i).dtype; }
  int count() const { return static_cast<int>(inputs.size()); }

 private:
  const Spec& spec(int i) const {
    if (i < 0 || i >= count()) refuse_missing(i);
    return inputs[static_cast<std::size_t>(i)];
  }
  [[noreturn]] void refuse_missing(int i) const;
};
/// Shape rule: specs of the outputs, or a ShapeError / DTypeError naming op, shapes and cure.
using InferRule = std::vector<Spec> (*)(const InferArgs&);

/// What a gradient rule gets. Undefined cotangents are zeros; inputs and outputs that the
/// definition did not list in `saves` have shape and dtype but no elements.
struct VjpArgs {
  const Attrs& attrs;
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  std::span<const Tensor> cotangents;
  std::uint64_t needed;  // bit i: the gradient of input i is asked for

  template <class A>
  const A& get() const {
    return std::get<A>(attrs);
  }
  const Tensor& in(int i) const { return inputs[static_cast<std::size_t>(i)]; }
  const Tensor& out(int i = 0) const { return outputs[static_cast<std::size_t>(i)]; }
  /// Cotangent of output i; the rule is only called when at least one is defined.
  const Tensor& g(int i = 0) const { return cotangents[static_cast<std::size_t>(i)]; }
  bool needs(int i) const { return i >= 64 || ((needed >> i) & 1u) != 0; }
};

/// Gradient rule: one tensor per input, undefined for "none". It only calls operations, so it can
/// be differentiated and traced itself. A result may have the broadcast shape: the reverse walk
/// sums it down to the input's.
struct Vjp {
  Tensors (*rule)(const VjpArgs&);
  const char* why_not;  // the reason, when there is no rule
};
constexpr Vjp differentiable(Tensors (*rule)(const VjpArgs&)) { return {rule, nullptr}; }
constexpr Vjp not_differentiable(const char* why) { return {nullptr, why}; }

/// Which values a gradient rule reads, as bit sets over inputs and outputs.
struct Saves {
  std::uint64_t inputs = 0;
  std::uint64_t outputs = 0;
  constexpr Saves operator|(Saves other) const {
    return {inputs | other.inputs, outputs | other.outputs};
  }
};
inline constexpr Saves kSavesNothing{};
constexpr Saves saves_input(int i) { return {std::uint64_t{1} << i, 0}; }
constexpr Saves saves_output(int i = 0) { return {0, std::uint64_t{1} << i}; }
inline constexpr Saves kSavesAllInputs{~std::uint64_t{0}, 0};

/// How a test fills an input.
struct SampleInput {
  enum class Domain {
    normal,     // standard normal
    nonzero,    // away from zero, both signs: kinks at 0
    positive,   // in [0.5, 2]
    unit,       // in (0.1, 0.9)
    symmetric,  // in (-0.9, 0.9)
    distinct,   // no two values closer than 0.1: order statistics
    ties,       // small integers, so that some values are equal
    boolean,    // false and true
    integers,   // 0 .. limit-1
    offsets,    // 0 = first <= ... <= last = limit: segment boundaries
  };
  Shape shape;
  Domain domain = Domain::normal;
  Dim limit = 0;
  bool differentiable = true;  // false: a floating input that the rule does not differentiate
};
struct Sample {
  std::vector<SampleInput> inputs;
  Attrs attrs = NoAttrs{};
};
struct BadSample {
  std::vector<Spec> inputs;
  Attrs attrs;
  const char* message;  // must be contained in the error, which must also name the op
};

/// Work of one call, for benchmarks and profiles.
struct Cost {
  double flops = 0;
  double bytes = 0;
};
using CostRule = Cost (*)(std::span<const Spec> inputs, std::span<const Spec> outputs,
                          const Attrs&);

inline constexpr std::size_t kNoAlias = ~std::size_t{0};

struct OpDef {
  Required<const char*> name;  // as in ops.def
  Required<const char*> doc;   // one line
  /// Dtypes of the first input for which a kernel exists (of the output, if there is no input).
  Required<DTypes> dtypes;
  Required<InferRule> infer;
  Required<Vjp> vjp;
  Required<Saves> saves;
  Required<std::vector<Sample> (*)()> samples;
  Required<std::vector<BadSample> (*)()> bad_samples;
  Required<CostRule> cost;

  /// Inputs of which only the shape matters; they need no elements.
  std::uint64_t shape_only = 0;
  /// Inputs that the operation overwrites; it then has effects and is never removed or merged.
  std::uint64_t mutates = 0;
  /// Where the outputs, one behind the other, alias input 0: the first one's byte offset, or
  /// kNoAlias if these attributes need a copy. The kernel still exists, for programs that copy.
  std::size_t (*alias)(const Spec& input, const Attrs&) = nullptr;
  /// The output may overwrite input 0 when nothing else reads it.
  bool in_place = false;
  /// For a fused operation: the same results by other operations, the oracle of its tests; first
  /// the new values of the inputs that it overwrites, then its outputs.
  Tensors (*reference)(std::span<const Tensor> inputs, const Attrs&) = nullptr;
  /// Bytes of scratch memory that the kernel needs.
  std::size_t (*workspace)(std::span<const Spec> inputs, const Attrs&) = nullptr;
};

/// One linked symbol (op.cpp), so that a test can link another table.
extern const OpDef* const kOpTable[];

inline const OpDef& definition(Op op) { return *kOpTable[static_cast<std::size_t>(op)]; }
inline const char* name_of(Op op) { return definition(op).name.value; }
constexpr std::uint64_t input_bit(int i) { return std::uint64_t{1} << i; }

}  // namespace milgrad
