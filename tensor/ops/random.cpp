// Definitions of the random operations. Each takes a key, so that it is a function: the same key
// gives the same numbers, forward and backward, on every device.
#include "tensor/operators.h"
#include "tensor/ops/definitions.h"
#include "tensor/variable.h"

#include <cmath>

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;
constexpr const char* kNoGradient = "random numbers are constants: their key has no gradient";

void expect_key(const InferArgs& args, int i) {
  if (args.dtype(i) == DType::int64 && args.shape(i) == Shape{2}) return;
  throw ShapeError(fmt::format("[{}] a key {}; expected int64 (2,)", args.op,
                               args.inputs[static_cast<std::size_t>(i)].to_string()),
                   "take it from RandomGenerator::next_key()");
}

void expect_finite(const InferArgs& args, double a, double b) {
  if (std::isfinite(a) && std::isfinite(b)) return;
  throw ValueError(
      fmt::format("[{}] parameters {} and {}; expected finite numbers", args.op, a, b));
}

/// Outputs of the shape and dtype that the attributes name; input 0 is the key.
std::vector<Spec> infer_random(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_key(args, 0);
  const auto& attrs = args.get<RandomAttrs>();
  if (!is_floating(attrs.dtype))
    throw DTypeError(fmt::format("[{}] {} {}; expected float32, float64", args.op,
                                 name_of(attrs.dtype), attrs.shape.to_string()));
  expect_finite(args, attrs.a, attrs.b);
  return {{attrs.shape, attrs.dtype}};
}

void expect_range(const InferArgs& args, double low, double high) {
  expect_finite(args, low, high);
  if (low > high)
    throw ValueError(fmt::format("[{}] no number lies between {} and {}", args.op, low, high),
                     "the lower bound comes first");
}

std::vector<Spec> infer_random_uniform(const InferArgs& args) {
  const auto outputs = infer_random(args);
  expect_range(args, args.get<RandomAttrs>().a, args.get<RandomAttrs>().b);
  return outputs;
}

std::vector<Spec> infer_random_normal(const InferArgs& args) {
  const auto outputs = infer_random(args);
  if (args.get<RandomAttrs>().b < 0)
    throw ValueError(fmt::format("[{}] a standard deviation of {} for shape {}", args.op,
                                 args.get<RandomAttrs>().b, outputs[0].shape.to_string()),
                     "it must be >= 0");
  return outputs;
}

std::vector<Spec> infer_random_uniform_like(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_dtype(args, 0, kFloating);
  expect_key(args, 1);
  expect_range(args, args.get<NumberAttrs>().a, args.get<NumberAttrs>().b);
  return {args.inputs[0]};
}

std::vector<Spec> infer_dropout(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_dtype(args, 0, kFloating);
  expect_key(args, 1);
  const double rate = args.get<NumberAttrs>().a;
  if (!(rate >= 0 && rate <= 1))
    throw ValueError(fmt::format("[{}] a rate of {} for x of shape {}", args.op, rate,
                                 args.shape(0).to_string()),
                     "it is the share of elements to drop, 0..1");
  return {args.inputs[0]};
}

std::vector<Spec> infer_next_key(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_key(args, 0);
  return {args.inputs[0]};
}

SampleInput key() { return {.shape = {2}, .domain = Domain::integers, .limit = 1000}; }

std::vector<Sample> random_samples() {
  return {{{key()}, RandomAttrs{.shape = {2, 5}, .dtype = DType::float32, .a = 0, .b = 1}},
          {{key()}, RandomAttrs{.shape = {1, 3}, .dtype = DType::float64, .a = -1, .b = 2}},
          {{key()}, RandomAttrs{.shape = {}, .dtype = DType::float32, .a = 0, .b = 1}}};
}

std::vector<BadSample> random_bad_samples() {
  return {{{{Shape{3}, DType::int64}}, RandomAttrs{.shape = {2}}, "a key int64 (3,)"},
          {{{Shape{2}, DType::int64}},
           RandomAttrs{.shape = {2}, .dtype = DType::int32},
           "int32 (2,); expected float32, float64"},
          {{{Shape{2}, DType::int64}},
           RandomAttrs{.shape = {2}, .a = std::numeric_limits<double>::quiet_NaN()},
           "expected finite numbers"}};
}

std::vector<BadSample> random_uniform_bad_samples() {
  auto samples = random_bad_samples();
  samples.push_back({{{Shape{2}, DType::int64}},
                     RandomAttrs{.shape = {2}, .a = 1, .b = 0},
                     "no number lies between 1 and 0"});
  return samples;
}

std::vector<BadSample> random_normal_bad_samples() {
  auto samples = random_bad_samples();
  samples.push_back({{{Shape{2}, DType::int64}},
                     RandomAttrs{.shape = {2}, .a = 0, .b = -1},
                     "a standard deviation of -1 for shape (2,)"});
  return samples;
}

// Keeps an element where a uniform number in [0, 1) is not below the rate.
Tensors dropout_reference(std::span<const Tensor> inputs, const Attrs& attrs) {
  const Tensor& x = inputs[0];
  const double rate = std::get<NumberAttrs>(attrs).a;
  const Tensor keep = greater_equal(random_uniform_like(x, inputs[1]), rate);
  return {where(keep, div(x, scalar(1 - rate, x.dtype())), scalar(0, x.dtype()))};
}

}  // namespace

constinit const OpDef op_next_key{
    .name = "next_key",
    .doc = "the key of the next draw; advances the generator's state",
    .dtypes = DType::int64,
    .infer = infer_next_key,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{key()}, NoAttrs{}}, {{key()}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2}, DType::int32}}, NoAttrs{}, "a key int32 (2,); expected int64 (2,)"}};
        },
    .cost = streaming_cost<0>,
    .mutates = input_bit(0),
    .reference = [](std::span<const Tensor> inputs, const Attrs&) -> Tensors {
      return {add(inputs[0], tensor({std::int64_t{0}, std::int64_t{1}})), inputs[0]};
    },
};
Tensor next_key(const Variable& state) {
  return apply_one(Op::next_key, NoAttrs{}, {state.value()});
}

constinit const OpDef op_random_uniform{
    .name = "random_uniform",
    .doc = "uniform numbers in [a, b)",
    .dtypes = DType::int64,
    .infer = infer_random_uniform,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples = random_samples,
    .bad_samples = random_uniform_bad_samples,
    .cost = streaming_cost<12>,
};
Tensor random_uniform(const Tensor& key, const Shape& shape, UniformOptions options) {
  return apply_one(Op::random_uniform, RandomAttrs{shape, options.dtype, options.low, options.high},
                   {key});
}

constinit const OpDef op_random_normal{
    .name = "random_normal",
    .doc = "normal numbers with mean a and standard deviation b",
    .dtypes = DType::int64,
    .infer = infer_random_normal,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples = random_samples,
    .bad_samples = random_normal_bad_samples,
    .cost = streaming_cost<60>,
};
Tensor random_normal(const Tensor& key, const Shape& shape, NormalOptions options) {
  return apply_one(Op::random_normal,
                   RandomAttrs{shape, options.dtype, options.mean, options.stddev}, {key});
}

constinit const OpDef op_random_truncated_normal{
    .name = "random_truncated_normal",
    .doc = "normal numbers within two standard deviations b of the mean a",
    .dtypes = DType::int64,
    .infer = infer_random_normal,
    .vjp = not_differentiable(kNoGradient),
    .saves = kSavesNothing,
    .samples = random_samples,
    .bad_samples = random_normal_bad_samples,
    .cost = streaming_cost<60>,
};
Tensor random_truncated_normal(const Tensor& key, const Shape& shape, NormalOptions options) {
  return apply_one(Op::random_truncated_normal,
                   RandomAttrs{shape, options.dtype, options.mean, options.stddev}, {key});
}

constinit const OpDef op_random_uniform_like{
    .name = "random_uniform_like",
    .doc = "uniform numbers in [a, b) in the shape and dtype of another tensor",
    .dtypes = kFloating,
    .infer = infer_random_uniform_like,
    .vjp = differentiable([](const VjpArgs&) {
      return Tensors{Tensor(), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, key()}, NumberAttrs{0, 1}},
                                     {{{{1, 5}}, key()}, NumberAttrs{-1, 1}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{3}, DType::float32}, {Shape{2}, DType::float32}},
                                         NumberAttrs{0, 1},
                                         "a key float32 (2,); expected int64 (2,)"},
                                        {{{Shape{3}, DType::float32}, {Shape{2}, DType::int64}},
                                         NumberAttrs{1, 0},
                                         "no number lies between 1 and 0"}};
        },
    .cost = streaming_cost<12>,
    .shape_only = input_bit(0),
};
Tensor random_uniform_like(const Tensor& like, const Tensor& key, double low, double high) {
  return apply_one(Op::random_uniform_like, NumberAttrs{low, high}, {like, key});
}

constinit const OpDef op_dropout{
    .name = "dropout",
    .doc = "zero with probability `rate`, else x / (1 - rate)",
    .dtypes = kFloating,
    .infer = infer_dropout,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{dropout(v.g(), v.in(1), v.get<NumberAttrs>().a), Tensor()};
    }),
    .saves = saves_input(1),
    .samples =
        [] {
          return std::vector<Sample>{{{{{4, 5}}, key()}, NumberAttrs{0.4, 0}},
                                     {{{{1, 7}}, key()}, NumberAttrs{0.5, 0}},
                                     {{{{3}}, key()}, NumberAttrs{0, 0}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}, {Shape{2}, DType::int64}},
                                         NumberAttrs{1.5, 0},
                                         "a rate of 1.5 for x of shape (2, 3)"}};
        },
    .cost = streaming_cost<14>,
    .reference = dropout_reference,
};
Tensor dropout(const Tensor& x, const Tensor& key, double rate) {
  return apply_one(Op::dropout, NumberAttrs{rate, 0}, {x, key});
}

}  // namespace milgrad
