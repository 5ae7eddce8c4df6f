// The row of the registry behind all custom operations.
#include "tensor/custom.h"

#include "tensor/operators.h"
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

const CustomOp& custom_of(const Attrs& attrs) { return *std::get<CustomAttrs>(attrs).op; }

std::vector<Spec> infer_custom(const InferArgs& args) {
  const CustomOp& op = custom_of(args.attrs);
  return op.infer({.op = op.name.c_str(), .attrs = args.attrs, .inputs = args.inputs});
}

Tensors custom_vjp_rule(const VjpArgs& v) {
  const CustomOp& op = custom_of(v.attrs);
  if (!op.vjp)
    throw GradientError(fmt::format("[{}] is not differentiable: {}", op.name,
                                    op.why_not.empty() ? "it has no gradient rule" : op.why_not),
                        "give it a vjp, or make it by make_custom_op() from a reference");
  Tensors gradients = op.vjp(v);
  if (gradients.size() != v.inputs.size())
    throw ValueError(fmt::format("[{}] the gradient rule gave {} gradients for {} inputs", op.name,
                                 gradients.size(), v.inputs.size()),
                     "give one per input, undefined for none");
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (gradients[i].defined() && v.needs(static_cast<int>(i)) &&
        gradients[i].dtype() != v.inputs[i].dtype())
      throw DTypeError(
          fmt::format("[{}] the gradient rule gave {} for input {}, which is {}", op.name,
                      name_of(gradients[i].dtype()), i, name_of(v.inputs[i].dtype())),
          "dtypes are never promoted; use cast()");
  return gradients;
}

/// 3 x^2, the operation of the samples.
std::shared_ptr<const CustomOp> sample_op() {
  static const auto op = std::make_shared<const CustomOp>(CustomOp{
      .name = "custom",
      .infer =
          [](const InferArgs& args) {
            expect_inputs(args, 1);
            expect_dtype(args, 0, kFloating);
            return std::vector<Spec>{args.inputs[0]};
          },
      .vjp = [](const VjpArgs& v) { return Tensors{v.g() * v.in(0) * 6}; },
      .saves = saves_input(0),
      .cpu =
          [](const Call& call) {
            visit_floating(call.out().dtype, [&]<class T>() {
              const T* x = call.in(0).as<T>();
              for (std::int64_t i = 0; i < call.out().numel; ++i)
                call.out().as<T>()[i] = 3 * x[i] * x[i];
            });
          },
  });
  return op;
}

}  // namespace

constinit const OpDef op_custom{
    .name = "custom",
    .doc = "an operation defined by a user",
    .dtypes = kFloating,
    .infer = infer_custom,
    .vjp = differentiable(custom_vjp_rule),
    .saves = kSavesAllInputs,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}}, CustomAttrs{sample_op()}},
                                     {{{{1, 4}}}, CustomAttrs{sample_op()}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2}, DType::int32}},
                                         CustomAttrs{sample_op()},
                                         "input 0 is int32 (2,); expected float32, float64"}};
        },
    .cost = streaming_cost<1>,
};

Tensors apply_custom(const std::shared_ptr<const CustomOp>& op, std::span<const Tensor> inputs) {
  if (op == nullptr || op->name.empty() || !op->infer)
    throw ValueError("[custom] the operation lacks a name or a shape rule",
                     "set `name` and `infer`");
  return apply(Op::custom, CustomAttrs{op}, inputs);
}

}  // namespace milgrad
