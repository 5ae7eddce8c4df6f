// Definitions of the operations that update variables in place.
#include "tensor/ops/definitions.h"
#include "tensor/variable.h"

namespace milgrad {
namespace {

std::vector<Spec> infer_assign(const InferArgs& args) {
  expect_inputs(args, 2);
  if (!(args.inputs[0] == args.inputs[1]))
    throw ShapeError(fmt::format("[{}] a value {} for a variable {}", args.op,
                                 args.inputs[1].to_string(), args.inputs[0].to_string()),
                     "shape and dtype must be the variable's; use reshape() or cast()");
  return {};
}

}  // namespace

constinit const OpDef op_assign{
    .name = "assign",
    .doc = "copies a value into a variable's memory",
    .dtypes = kAnyDType,
    .infer = infer_assign,
    .vjp = not_differentiable("assign() changes state; differentiate with respect to the value"),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{2, 3}}}, NoAttrs{}},
                                     {{{{1}}, {{1}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{3}, DType::float32}},
               NoAttrs{},
               "a value float32 (3,) for a variable float32 (2, 3)"},
              {{{Shape{2}, DType::float32}, {Shape{2}, DType::float64}},
               NoAttrs{},
               "a value float64 (2,) for a variable float32 (2,)"}};
        },
    .cost = streaming_cost<0>,
    .mutates = input_bit(0),
};
void assign(const Variable& variable, const Tensor& value) {
  apply(Op::assign, NoAttrs{}, {variable.value(), value});
}

}  // namespace milgrad
