// Attributes as text, for printed graphs; and how attention pooling keeps its gates.
#include "tensor/attrs.h"

#include "tensor/chain.h"

#include <fmt/format.h>

namespace milgrad {
namespace {

const char* yes_no(bool value) { return value ? "true" : "false"; }

struct Print {
  std::string operator()(const NoAttrs&) const { return ""; }
  std::string operator()(const AxisAttrs& a) const { return fmt::format("axis={}", a.axis); }
  std::string operator()(const ReduceAttrs& a) const {
    return fmt::format("axes={}, keep_dims={}", a.axes.to_string(), yes_no(a.keep_dims));
  }
  std::string operator()(const ScanAttrs& a) const {
    return fmt::format("axis={}, reverse={}", a.axis, yes_no(a.reverse));
  }
  std::string operator()(const AxesAttrs& a) const {
    return fmt::format("axes={}", a.axes.to_string());
  }
  std::string operator()(const MatmulAttrs& a) const {
    return fmt::format("transpose_a={}, transpose_b={}", yes_no(a.transpose_a),
                       yes_no(a.transpose_b));
  }
  std::string operator()(const DenseAttrs& a) const {
    return fmt::format("activation={}", name_of(a.activation));
  }
  std::string operator()(const MultiDenseAttrs& a) const {
    std::string text = "members=(";
    for (const DenseMember& member : a.members)
      text += fmt::format("{}{}{}", &member == a.members.data() ? "" : ", ",
                          name_of(member.activation), member.bias ? " with bias" : "");
    return text + ")";
  }
  std::string operator()(const ShapeAttrs& a) const {
    return fmt::format("shape={}", a.shape.to_string());
  }
  std::string operator()(const CreateAttrs& a) const {
    return fmt::format("shape={}, dtype={}", a.shape.to_string(), name_of(a.dtype));
  }
  std::string operator()(const DTypeAttrs& a) const {
    return fmt::format("dtype={}", name_of(a.dtype));
  }
  std::string operator()(const SliceAttrs& a) const {
    const std::string stop = a.stop == SliceAttrs::kToEnd ? "" : std::to_string(a.stop);
    return fmt::format("axis={}, {}:{}:{}", a.axis, a.start, stop, a.step);
  }
  std::string operator()(const PadAttrs& a) const {
    return fmt::format("axis={}, before={}, after={}, value={}", a.axis, a.before, a.after,
                       a.value);
  }
  std::string operator()(const OneHotAttrs& a) const {
    return fmt::format("classes={}, dtype={}", a.classes, name_of(a.dtype));
  }
  std::string operator()(const NumberAttrs& a) const { return fmt::format("{}, {}", a.a, a.b); }
  std::string operator()(const RandomAttrs& a) const {
    return fmt::format("shape={}, dtype={}, {}, {}", a.shape.to_string(), name_of(a.dtype), a.a,
                       a.b);
  }
  std::string operator()(const SgdAttrs& a) const {
    return fmt::format("momentum={}, nesterov={}", a.momentum, yes_no(a.nesterov));
  }
  std::string operator()(const AdamStepSizeAttrs& a) const {
    return fmt::format("beta_1={}, beta_2={}{}", a.beta_1, a.beta_2,
                       a.float32_step_size ? ", float32_step_size=true" : "");
  }
  std::string operator()(const AdamAttrs& a) const {
    return fmt::format("beta_1={}, beta_2={}, epsilon={}", a.beta_1, a.beta_2, a.epsilon);
  }
  std::string operator()(const DenseUpdate& a) const {
    return fmt::format("decay={}, bias={}, input_gradient={}, sum_of_squares={}", a.decay,
                       yes_no(a.bias), yes_no(a.input_gradient), yes_no(a.sum_of_squares));
  }
  std::string operator()(const SgdDenseAttrs& a) const {
    return (*this)(a.sgd) + ", " + (*this)(a.update);
  }
  std::string operator()(const AdamDenseAttrs& a) const {
    return (*this)(a.adam) + ", " + (*this)(a.update);
  }
  std::string operator()(const AttentionPoolAttrs& a) const {
    constexpr const char* kKept[] = {"none", "small", "all"};
    return fmt::format("gated={}, biases={}, ragged={}, kept={}{}{}", yes_no(a.gated),
                       yes_no(a.biases), yes_no(a.ragged), kKept[static_cast<int>(a.kept)],
                       a.input_gradient ? "" : ", input_gradient=false",
                       a.through_relu ? ", through_relu=true" : "");
  }
  std::string operator()(const CustomAttrs&) const { return "custom"; }
  std::string operator()(const ChainAttrs& a) const { return a.chain->to_string(); }
};

}  // namespace

const char* name_of(Activation activation) {
  constexpr const char* kNames[] = {"none", "relu", "tanh", "sigmoid"};
  return kNames[static_cast<int>(activation)];
}

Dim AttentionPoolAttrs::kept_rows(Dim instances, Dim columns, std::size_t element) const {
  constexpr double kSmall = 128.0 * (1 << 20);
  if (kept == KeptGates::none) return 0;
  if (kept == KeptGates::all || is_symbolic(instances)) return instances;
  const double bytes =
      static_cast<double>(instances) * static_cast<double>(columns) * static_cast<double>(element);
  return bytes <= kSmall ? instances : 0;
}

std::string to_string(const Attrs& attrs) { return std::visit(Print{}, attrs); }

}  // namespace milgrad
