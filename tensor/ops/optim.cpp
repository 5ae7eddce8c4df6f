// Definitions of the operations that update variables in place.
#include "tensor/mode.h"
#include "tensor/operators.h"
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

using Domain = SampleInput::Domain;
constexpr const char* kNoGradient = "an optimizer step changes state; it is not part of a loss";

std::vector<Spec> infer_sgd_update(const InferArgs& args) {
  if (args.count() != 4) expect_inputs(args, 3);
  expect_dtype(args, 0, kFloating);
  expect_like_variable(args, 1, "gradient");
  expect_scalar(args, 2, "learning rate", kFloating);
  if (args.count() == 4) expect_like_variable(args, 3, "velocity");
  const auto& attrs = args.get<SgdAttrs>();
  expect_momentum(args, attrs);
  if (attrs.momentum > 0 && args.count() == 3)
    throw ValueError(
        fmt::format("[{}] a momentum of {} without a velocity", args.op, attrs.momentum),
        "give a fourth input of the variable's shape");
  return {};
}

std::vector<Spec> infer_adam_update(const InferArgs& args) {
  expect_inputs(args, 5);
  expect_dtype(args, 0, kFloating);
  expect_like_variable(args, 1, "first moment");
  expect_like_variable(args, 2, "second moment");
  expect_like_variable(args, 3, "gradient");
  expect_scalar(args, 4, "step size", kFloating);
  return {};
}

std::vector<Spec> infer_adam_step_size(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_scalar(args, 0, "learning rate", kFloating);
  expect_scalar(args, 1, "number of steps", kIndex);
  return {{Shape{}, DType::float64}};
}

// lr sqrt(1 - b2^t) / (1 - b1^t) with t = steps + 1
Tensors adam_step_size_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& adam = std::get<AdamStepSizeAttrs>(attrs);
  const DType dtype = adam.float32_step_size ? DType::float32 : DType::float64;
  const Tensor t = cast(in[1], dtype) + 1;
  const Tensor size = cast(in[0], dtype) * sqrt(1 - pow(scalar(adam.beta_2, dtype), t)) /
                      (1 - pow(scalar(adam.beta_1, dtype), t));
  return {cast(size, DType::float64)};
}

/// Variable, moments and gradient of a shape, step size.
std::vector<SampleInput> adam_inputs(const Shape& shape) {
  return {{shape}, {shape}, {shape, Domain::positive}, {shape}, {{}, Domain::unit}};
}

}  // namespace

void expect_like_variable(const InferArgs& args, int i, const char* what, int variable) {
  const auto spec = [&](int input) { return Spec{args.shape(input), args.dtype(input)}; };
  if (spec(i) == spec(variable)) return;
  throw ShapeError(fmt::format("[{}] a {} {} for a variable {}", args.op, what, spec(i).to_string(),
                               spec(variable).to_string()),
                   "both must have the same shape and dtype");
}

void expect_scalar(const InferArgs& args, int i, const char* what, DTypes dtypes) {
  expect_dtype(args, i, dtypes);
  if (args.shape(i).rank() == 0) return;
  throw ShapeError(
      fmt::format("[{}] a {} of shape {}; expected ()", args.op, what, args.shape(i).to_string()));
}

void expect_momentum(const InferArgs& args, const SgdAttrs& attrs) {
  if (attrs.momentum >= 0 && attrs.momentum <= 1) return;
  throw ValueError(
      fmt::format("[{}] a momentum of {}; expected a number in 0..1", args.op, attrs.momentum));
}

// v = mu v - lr g; x += v, or with Nesterov's look-ahead x += mu v - lr g. Gives x, and v.
Tensors sgd_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto [momentum, nesterov] = std::get<SgdAttrs>(attrs);
  const Tensor &x = in[0], step = cast(in[2], x.dtype()) * in[1];
  if (in.size() == 3) return {x - step};
  const Tensor velocity = in[3] * momentum - step;
  return {nesterov ? x + (velocity * momentum - step) : x + velocity, velocity};
}

// m += (g - m)(1 - b1); v += (g^2 - v)(1 - b2); x -= m step_size / (sqrt(v) + epsilon).
// Gives x, m and v.
Tensors adam_reference(std::span<const Tensor> in, const Attrs& attrs) {
  const auto& adam = std::get<AdamAttrs>(attrs);
  const Tensor m = in[1] + (in[3] - in[1]) * (1 - adam.beta_1);
  const Tensor v = in[2] + (in[3] * in[3] - in[2]) * (1 - adam.beta_2);
  return {in[0] - m * cast(in[4], in[0].dtype()) / (sqrt(v) + adam.epsilon), m, v};
}

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
  const NoGrad untracked;
  apply(Op::assign, NoAttrs{}, {variable.value(), value});
}

constinit const OpDef op_sgd_update{
    .name = "sgd_update",
    .doc = "one step of gradient descent, with momentum if a velocity is given",
    .dtypes = kFloating,
    .infer = infer_sgd_update,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples =
        [] {
          const SampleInput rate{{}, Domain::unit};
          return std::vector<Sample>{
              {{{{2, 3}}, {{2, 3}}, rate}, SgdAttrs{}},
              {{{{1, 3}}, {{1, 3}}, rate, {{1, 3}}}, SgdAttrs{.momentum = 0.9}},
              {{{{5}}, {{5}}, rate, {{5}}}, SgdAttrs{.momentum = 0.9, .nesterov = true}}};
        },
    .bad_samples =
        [] {
          const Spec x{{2, 3}, DType::float32}, rate{{}, DType::float32};
          return std::vector<BadSample>{
              {{x, {{3}, DType::float32}, rate},
               SgdAttrs{},
               "a gradient float32 (3,) for a variable float32 (2, 3)"},
              {{x, x, {{1}, DType::float32}}, SgdAttrs{}, "a learning rate of shape (1,)"},
              {{x, x, rate}, SgdAttrs{.momentum = 0.5}, "a momentum of 0.5 without a velocity"},
              {{x, x, rate, x}, SgdAttrs{.momentum = 2}, "a momentum of 2; expected"}};
        },
    .cost = streaming_cost<0>,
    .mutates = input_bit(0) | input_bit(3),
    .reference = sgd_reference,
};
void sgd_update(const Variable& variable, const Tensor& gradient, const Tensor& learning_rate) {
  const NoGrad untracked;
  apply(Op::sgd_update, SgdAttrs{}, {variable.value(), gradient, learning_rate});
}
void sgd_update(const Variable& variable, const Tensor& gradient, const Tensor& learning_rate,
                const Variable& velocity, SgdAttrs attrs) {
  const NoGrad untracked;
  apply(Op::sgd_update, attrs, {variable.value(), gradient, learning_rate, velocity.value()});
}

constinit const OpDef op_adam_step_size{
    .name = "adam_step_size",
    .doc = "the learning rate of one step of Adam, corrected for its moments' start at 0",
    .dtypes = kFloating,
    .infer = infer_adam_step_size,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples =
        [] {
          const SampleInput rate{{}, Domain::unit},
              steps{.shape = {}, .domain = Domain::integers, .limit = 9};
          return std::vector<Sample>{{{rate, steps}, AdamStepSizeAttrs{}},
                                     {{rate, steps}, AdamStepSizeAttrs{0.8, 0.99}}};
        },
    .bad_samples =
        [] {
          const Spec rate{{}, DType::float32}, steps{{}, DType::int64};
          return std::vector<BadSample>{
              {{{{1}, DType::float32}, steps},
               AdamStepSizeAttrs{},
               "a learning rate of shape (1,)"},
              {{rate, rate}, AdamStepSizeAttrs{}, "input 1 is float32 ()"}};
        },
    .cost = streaming_cost<8>,
    .reference = adam_step_size_reference,
};
Tensor adam_step_size(const Tensor& learning_rate, const Tensor& steps, AdamStepSizeAttrs attrs) {
  return apply_one(Op::adam_step_size, attrs, {learning_rate, steps});
}

constinit const OpDef op_adam_update{
    .name = "adam_update",
    .doc = "one step of Adam as Keras computes it",
    .dtypes = kFloating,
    .infer = infer_adam_update,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{adam_inputs({2, 3}), AdamAttrs{}},
                                     {adam_inputs({1, 37}), AdamAttrs{0.8, 0.99, 1e-3}}};
        },
    .bad_samples =
        [] {
          const Spec x{{2, 3}, DType::float32}, size{{}, DType::float64};
          return std::vector<BadSample>{
              {{x, x, x, {{2}, DType::float32}, size},
               AdamAttrs{},
               "a gradient float32 (2,) for a variable float32 (2, 3)"},
              {{x, {{3}, DType::float32}, x, x, size},
               AdamAttrs{},
               "a first moment float32 (3,) for a variable float32 (2, 3)"},
              {{x, x, x, x, {{1}, DType::float64}}, AdamAttrs{}, "a step size of shape (1,)"}};
        },
    .cost = streaming_cost<0>,
    .mutates = input_bit(0) | input_bit(1) | input_bit(2),
    .reference = adam_reference,
};
void adam_update(const Variable& variable, const Variable& first_moment,
                 const Variable& second_moment, const Tensor& gradient, const Tensor& step_size,
                 AdamAttrs attrs) {
  const NoGrad untracked;
  apply(Op::adam_update, attrs,
        {variable.value(), first_moment.value(), second_moment.value(), gradient, step_size});
}

}  // namespace milgrad
