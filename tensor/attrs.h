// The attributes of operations: a closed set of small comparable structs. They hold axes, flags
// and numbers given by the user, never a size taken from a tensor.
#pragma once

#include "tensor/dtype.h"
#include "tensor/shape.h"

#include <limits>
#include <memory>
#include <variant>
#include <vector>

namespace milgrad {

class Chain;
struct CustomOp;

/// Axis numbers in place, as Shape holds sizes.
using Axes = Shape;

struct NoAttrs {
  bool operator==(const NoAttrs&) const = default;
};

/// One axis, 0..rank-1 (functions in ops.h normalize negative ones).
struct AxisAttrs {
  int axis = 0;
  bool operator==(const AxisAttrs&) const = default;
};

/// Axes in ascending order; for reductions, whether they stay with size 1.
struct ReduceAttrs {
  Axes axes;
  bool keep_dims = false;
  bool operator==(const ReduceAttrs&) const = default;
};

/// The axis along which running results go; `reverse`: from its last element to its first.
struct ScanAttrs {
  int axis = 0;
  bool reverse = false;
  bool operator==(const ScanAttrs&) const = default;
};

/// Axes in any order: a permutation, axes to flip, axes to insert.
struct AxesAttrs {
  Axes axes;
  bool operator==(const AxesAttrs&) const = default;
};

/// Which of the last two axes' order is swapped before multiplying.
struct MatmulAttrs {
  bool transpose_a = false;
  bool transpose_b = false;
  bool operator==(const MatmulAttrs&) const = default;
};

enum class Activation { none, relu, tanh, sigmoid };

/// What a dense layer applies to x w + b.
struct DenseAttrs {
  Activation activation = Activation::none;
  bool operator==(const DenseAttrs&) const = default;
};

/// One of several dense layers on the same input.
struct DenseMember {
  Activation activation = Activation::none;
  bool bias = false;
  bool operator==(const DenseMember&) const = default;
};
struct MultiDenseAttrs {
  std::vector<DenseMember> members;
  bool operator==(const MultiDenseAttrs&) const = default;
};

/// A shape given by the user; for reshape one entry may be -1: "whatever is left".
struct ShapeAttrs {
  Shape shape;
  bool operator==(const ShapeAttrs&) const = default;
};

/// A shape and a dtype given by the user.
struct CreateAttrs {
  Shape shape;
  DType dtype = DType::float32;
  bool operator==(const CreateAttrs&) const = default;
};

struct DTypeAttrs {
  DType dtype = DType::float32;
  bool operator==(const DTypeAttrs&) const = default;
};

/// x[start:stop:step] on one axis; stop == kToEnd keeps everything behind start.
struct SliceAttrs {
  static constexpr Dim kToEnd = std::numeric_limits<Dim>::max();
  int axis = 0;
  Dim start = 0;
  Dim stop = kToEnd;
  Dim step = 1;
  bool operator==(const SliceAttrs&) const = default;
};

/// Zeros (or `value`) before and behind one axis.
struct PadAttrs {
  int axis = 0;
  Dim before = 0;
  Dim after = 0;
  double value = 0;
  bool operator==(const PadAttrs&) const = default;
};

struct OneHotAttrs {
  Dim classes = 0;
  DType dtype = DType::float32;
  bool operator==(const OneHotAttrs&) const = default;
};

/// Lower and upper bound, or mean and standard deviation; one number uses `a` alone.
struct NumberAttrs {
  double a = 0;
  double b = 0;
  bool operator==(const NumberAttrs&) const = default;
};

/// A shape and a dtype given by the user, and the two numbers of a distribution.
struct RandomAttrs {
  Shape shape;
  DType dtype = DType::float32;
  double a = 0;
  double b = 1;
  bool operator==(const RandomAttrs&) const = default;
};

/// SGD (Keras): momentum in [0, 1); nesterov looks ahead.
struct SgdAttrs {
  double momentum = 0;
  bool nesterov = false;
  bool operator==(const SgdAttrs&) const = default;
};

/// The size of Adam's steps (Keras), computed in double, or with float32_step_size by the float32
/// operations that Keras uses for it.
struct AdamStepSizeAttrs {
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  bool float32_step_size = false;
  bool operator==(const AdamStepSizeAttrs&) const = default;
};

/// Adam (Keras): decay rates, epsilon outside of the square root.
struct AdamAttrs {
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  bool operator==(const AdamAttrs&) const = default;
};

/// What an update of a dense layer's weights does besides: `decay` times the kernel is added to the
/// kernel's gradient; `bias`: a bias and its slots follow the kernel's and are updated too;
/// `input_gradient`, `sum_of_squares`: the outputs asked for, in this order.
struct DenseUpdate {
  double decay = 0;
  bool bias = false;
  bool input_gradient = false;
  bool sum_of_squares = false;
  bool operator==(const DenseUpdate&) const = default;
};
struct SgdDenseAttrs {
  SgdAttrs sgd;
  DenseUpdate update;
  bool operator==(const SgdDenseAttrs&) const = default;
};
struct AdamDenseAttrs {
  AdamAttrs adam;
  DenseUpdate update;
  bool operator==(const AdamDenseAttrs&) const = default;
};

/// Whether the forward pass of attention pooling keeps tanh and sigmoid for the backward one, which
/// else computes them again; `small` up to 128 MiB.
enum class KeptGates { none, small, all };

/// Attention pooling: which inputs there are, and what the forward pass keeps for the backward one.
/// The last two are of the gradient operation alone.
struct AttentionPoolAttrs {
  bool gated = true;           // a sigmoid gate beside the tanh
  bool biases = false;         // of tanh, gate and score
  bool ragged = false;         // offsets of several bags
  KeptGates kept = KeptGates::all;
  bool input_gradient = true;  // whether the gradient of the instances is wanted
  bool through_relu = false;  // the instances are a relu's result: give the gradient in front of it
  bool operator==(const AttentionPoolAttrs&) const = default;

  /// The rows of the gates [instances, columns] that are kept: all or none; all of them where the
  /// number of instances is a symbol and `kept` is not none. `element` is in bytes.
  Dim kept_rows(Dim instances, Dim columns, std::size_t element) const;
};

/// An operation defined by a user; equality is identity.
struct CustomAttrs {
  std::shared_ptr<const CustomOp> op;
  bool operator==(const CustomAttrs&) const = default;
};

/// Elementwise operations that run as one (chain.h); equal if their instructions are.
struct ChainAttrs {
  std::shared_ptr<const Chain> chain;
  bool operator==(const ChainAttrs& other) const;
};

using Attrs =
    std::variant<NoAttrs, AxisAttrs, ReduceAttrs, ScanAttrs, AxesAttrs, MatmulAttrs, DenseAttrs,
                 MultiDenseAttrs, ShapeAttrs, CreateAttrs, RandomAttrs, DTypeAttrs, SliceAttrs,
                 PadAttrs, OneHotAttrs, NumberAttrs, SgdAttrs, AdamStepSizeAttrs, AdamAttrs,
                 SgdDenseAttrs, AdamDenseAttrs, AttentionPoolAttrs, CustomAttrs, ChainAttrs>;

/// "none", "relu", ...
const char* name_of(Activation activation);

/// "axis=1", "transpose_a=true": the attributes as a graph prints them; "" for none.
std::string to_string(const Attrs& attrs);

}  // namespace milgrad
