// Shape rules and bad samples of the elementwise operations.
#include "tensor/ops/elementwise.h"

namespace milgrad {
namespace {

std::vector<Spec> infer_unary(const InferArgs& args, DTypes dtypes) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, dtypes);
  return {args.inputs[0]};
}

std::vector<Spec> infer_binary(const InferArgs& args, DTypes dtypes) {
  expect_inputs(args, 2);
  expect_same_dtype(args, dtypes);
  return {{broadcast_shapes(args.op, args.shape(0), args.shape(1)), args.dtype(0)}};
}

}  // namespace

std::vector<Spec> infer_unary_floating(const InferArgs& args) {
  return infer_unary(args, kFloating);
}
std::vector<Spec> infer_unary_signed(const InferArgs& args) { return infer_unary(args, kSigned); }
std::vector<Spec> infer_unary_numeric(const InferArgs& args) { return infer_unary(args, kNumeric); }
std::vector<Spec> infer_unary_boolean(const InferArgs& args) { return infer_unary(args, kBoolean); }

std::vector<Spec> infer_binary_floating(const InferArgs& args) {
  return infer_binary(args, kFloating);
}
std::vector<Spec> infer_binary_numeric(const InferArgs& args) {
  return infer_binary(args, kNumeric);
}
std::vector<Spec> infer_binary_boolean(const InferArgs& args) {
  return infer_binary(args, kBoolean);
}

std::vector<BadSample> floating_bad_samples() {
  return {{{{Shape{2, 3}, DType::int32}},
           NoAttrs{},
           "input 0 is int32 (2, 3); expected float32, float64"}};
}
std::vector<BadSample> numeric_bad_samples() {
  return {{{{Shape{2}, DType::boolean}}, NoAttrs{}, "input 0 is bool (2,); expected float32"}};
}
std::vector<BadSample> boolean_bad_samples() {
  return {{{{Shape{2}, DType::float32}}, NoAttrs{}, "input 0 is float32 (2,); expected bool"}};
}
std::vector<BadSample> binary_bad_samples() {
  return {{{{Shape{2, 3}, DType::float32}, {Shape{4}, DType::float32}},
           NoAttrs{},
           "shapes (2, 3) and (4,) do not broadcast"},
          {{{Shape{2}, DType::float32}, {Shape{3, 2}, DType::float64}},
           NoAttrs{},
           "input 1 is float64 (3, 2) but input 0 is float32 (2,)"}};
}
std::vector<BadSample> binary_boolean_bad_samples() {
  return {{{{Shape{2, 3}, DType::boolean}, {Shape{4}, DType::boolean}},
           NoAttrs{},
           "shapes (2, 3) and (4,) do not broadcast"},
          {{{Shape{2}, DType::float32}, {Shape{2}, DType::float32}},
           NoAttrs{},
           "input 0 is float32 (2,); expected bool"}};
}

}  // namespace milgrad
