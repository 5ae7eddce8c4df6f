// Definitions of comparisons, logic, where and cast.
#include "tensor/ops/elementwise.h"

namespace milgrad {
namespace {

constexpr Vjp kComparison = not_differentiable(
    "a comparison is constant almost everywhere; choose between differentiable values by where()");
constexpr Vjp kLogic = not_differentiable("bool values have no gradient");

std::vector<Spec> infer_comparison(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_same_dtype(args, kAnyDType);
  return {{broadcast_shapes(args.op, args.shape(0), args.shape(1)), DType::boolean}};
}

constexpr OpDef comparison(const char* name, const char* doc) {
  return {.name = name,
          .doc = doc,
          .dtypes = kAnyDType,
          .infer = infer_comparison,
          .vjp = kComparison,
          .saves = kSavesNothing,
          .samples = binary_samples<Domain::ties>,
          .bad_samples = binary_bad_samples,
          .cost = streaming_cost<1>};
}

constexpr OpDef logic(const char* name, const char* doc) {
  return {.name = name,
          .doc = doc,
          .dtypes = kBoolean,
          .infer = infer_binary_boolean,
          .vjp = kLogic,
          .saves = kSavesNothing,
          .samples = binary_samples<Domain::boolean>,
          .bad_samples = binary_boolean_bad_samples,
          .cost = streaming_cost<1>,
          .in_place = true};
}

std::vector<Spec> infer_isfinite(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kFloating);
  return {{args.shape(0), DType::boolean}};
}

std::vector<Spec> infer_where(const InferArgs& args) {
  expect_inputs(args, 3);
  expect_dtype(args, 0, kBoolean);
  if (args.dtype(1) != args.dtype(2))
    throw DTypeError(
        fmt::format("[{}] input 2 is {} {} but input 1 is {} {}", args.op, name_of(args.dtype(2)),
                    args.shape(2).to_string(), name_of(args.dtype(1)), args.shape(1).to_string()),
        "dtypes are never promoted; use cast()");
  const Shape values = broadcast_shapes(args.op, args.shape(1), args.shape(2));
  return {{broadcast_shapes(args.op, args.shape(0), values), args.dtype(1)}};
}

Tensors where_vjp(const VjpArgs& v) {
  const Tensor zero = scalar(0, v.g().dtype());
  return {Tensor(), v.needs(1) ? where(v.in(0), v.g(), zero) : Tensor(),
          v.needs(2) ? where(v.in(0), zero, v.g()) : Tensor()};
}

std::vector<Sample> where_samples() {
  return {{.inputs = {{{2, 3}, Domain::boolean}, {{2, 3}}, {{2, 3}}}},
          {.inputs = {{{3, 1}, Domain::boolean}, {{}}, {{2, 1, 4}}}},
          {.inputs = {{{}, Domain::boolean}, {{3}}, {{1, 3}}}}};
}

std::vector<BadSample> where_bad_samples() {
  const Spec condition{Shape{2}, DType::boolean}, number{Shape{2}, DType::float32};
  return {{{number, number, number}, NoAttrs{}, "input 0 is float32 (2,); expected bool"},
          {{condition, number, {Shape{2}, DType::float64}},
           NoAttrs{},
           "input 2 is float64 (2,) but input 1 is float32 (2,)"},
          {{condition, number, {Shape{3}, DType::float32}},
           NoAttrs{},
           "shapes (2,) and (3,) do not broadcast"}};
}

std::vector<Spec> infer_cast(const InferArgs& args) {
  expect_inputs(args, 1);
  return {{args.shape(0), args.get<DTypeAttrs>().dtype}};
}

// An input that has no gradient gets the cotangent as it is: the operation that made it gives the
// reason why none flows further.
Tensors cast_vjp(const VjpArgs& v) {
  const DType from = v.in(0).dtype(), to = v.out().dtype();
  if (is_floating(from) && !is_floating(to))
    throw GradientError(
        fmt::format("[cast] {} {} to {} is not differentiable: the result is constant almost "
                    "everywhere",
                    name_of(from), v.in(0).shape().to_string(), name_of(to)),
        "use stop_gradient()");
  return {is_floating(from) ? cast(v.g(), from) : v.g()};
}

}  // namespace

constinit const OpDef op_equal = comparison("equal", "a == b, as bool");
constinit const OpDef op_not_equal = comparison("not_equal", "a != b, as bool");
constinit const OpDef op_less = comparison("less", "a < b, as bool");
constinit const OpDef op_less_equal = comparison("less_equal", "a <= b, as bool");
constinit const OpDef op_greater = comparison("greater", "a > b, as bool");
constinit const OpDef op_greater_equal = comparison("greater_equal", "a >= b, as bool");

Tensor equal(const Tensor& a, const Tensor& b) { return apply_one(Op::equal, NoAttrs{}, {a, b}); }
Tensor not_equal(const Tensor& a, const Tensor& b) {
  return apply_one(Op::not_equal, NoAttrs{}, {a, b});
}
Tensor less(const Tensor& a, const Tensor& b) { return apply_one(Op::less, NoAttrs{}, {a, b}); }
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return apply_one(Op::less_equal, NoAttrs{}, {a, b});
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return apply_one(Op::greater, NoAttrs{}, {a, b});
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return apply_one(Op::greater_equal, NoAttrs{}, {a, b});
}

constinit const OpDef op_logical_and = logic("logical_and", "true where both are");
constinit const OpDef op_logical_or = logic("logical_or", "true where at least one is");
constinit const OpDef op_logical_xor = logic("logical_xor", "true where exactly one is");

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return apply_one(Op::logical_and, NoAttrs{}, {a, b});
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return apply_one(Op::logical_or, NoAttrs{}, {a, b});
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return apply_one(Op::logical_xor, NoAttrs{}, {a, b});
}

constinit const OpDef op_logical_not{
    .name = "logical_not",
    .doc = "true where x is false",
    .dtypes = kBoolean,
    .infer = infer_unary_boolean,
    .vjp = kLogic,
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::boolean>,
    .bad_samples = boolean_bad_samples,
    .cost = streaming_cost<1>,
    .in_place = true,
};
Tensor logical_not(const Tensor& x) { return apply_one(Op::logical_not, NoAttrs{}, {x}); }

constinit const OpDef op_isfinite{
    .name = "isfinite",
    .doc = "false where x is infinite or NaN, else true",
    .dtypes = kFloating,
    .infer = infer_isfinite,
    .vjp = kComparison,
    .saves = kSavesNothing,
    .samples = unary_samples<Domain::normal>,
    .bad_samples = floating_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor isfinite(const Tensor& x) { return apply_one(Op::isfinite, NoAttrs{}, {x}); }

constinit const OpDef op_where{
    .name = "where",
    .doc = "a where the condition is true, else b",
    .dtypes = kBoolean,
    .infer = infer_where,
    .vjp = differentiable(where_vjp),
    .saves = saves_input(0),
    .samples = where_samples,
    .bad_samples = where_bad_samples,
    .cost = streaming_cost<1>,
};
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return apply_one(Op::where, NoAttrs{}, {condition, a, b});
}

constinit const OpDef op_cast{
    .name = "cast",
    .doc = "the values in another dtype",
    .dtypes = kAnyDType,
    .infer = infer_cast,
    .vjp = differentiable(cast_vjp),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {.inputs = {{{2, 3}}}, .attrs = DTypeAttrs{DType::float64}},
              {.inputs = {{{1, 5}}}, .attrs = DTypeAttrs{DType::float64}},
          };
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2}, DType::float32}, {Shape{2}, DType::float32}},
                                         DTypeAttrs{DType::int32},
                                         "got 2 inputs; expected 1"}};
        },
    .cost = streaming_cost<1>,
};
Tensor cast(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : apply_one(Op::cast, DTypeAttrs{dtype}, {x});
}

}  // namespace milgrad
