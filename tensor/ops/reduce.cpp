// Definitions of the reductions and running sums.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

std::vector<Spec> infer_reduction(const InferArgs& args) {
  for (Dim axis : args.get<ReduceAttrs>().axes) expect_axis(args, 0, axis);
  return {{reduced_shape(args.shape(0), args.get<ReduceAttrs>()), args.dtype(0)}};
}

std::vector<Spec> infer_sum(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kSigned);
  return infer_reduction(args);
}

void expect_elements(const InferArgs& args, Dim axis) {
  if (args.shape(0)[static_cast<int>(axis)] != 0) return;
  throw ShapeError(fmt::format("[{}] axis {} of shape {} is empty; expected at least one element",
                               args.op, axis, args.shape(0).to_string()));
}

std::vector<Spec> infer_extreme(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kNumeric);
  std::vector<Spec> result = infer_reduction(args);
  for (Dim axis : args.get<ReduceAttrs>().axes) expect_elements(args, axis);
  return result;
}

template <int flops_per_input>
Cost reduction_cost(std::span<const Spec> inputs, std::span<const Spec> outputs,
                    const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  cost.flops = flops_per_input * static_cast<double>(inputs[0].shape.numel());
  return cost;
}

/// The gradient of a reduction with its removed axes put back at size 1.
Tensor restore_axes(const Tensor& g, const ReduceAttrs& attrs) {
  return attrs.keep_dims || attrs.axes.rank() == 0 ? g : expand_dims(g, attrs.axes);
}

Tensor reduce(Op op, const Tensor& x, const Axes& axes, bool keep_dims) {
  return apply_one(op, ReduceAttrs{sorted_axes(name_of(op), x.shape(), axes), keep_dims}, {x});
}

template <Domain domain>
std::vector<Sample> reduction_samples() {
  return {{{{{2, 3, 4}, domain}}, ReduceAttrs{{1}, false}},
          {{{{2, 3, 4}, domain}}, ReduceAttrs{{0, 2}, true}},
          {{{{1, 5}, domain}}, ReduceAttrs{{0, 1}, false}}};
}

std::vector<BadSample> sum_bad_samples() {
  return {{{{Shape{2}, DType::uint8}}, ReduceAttrs{{0}, false}, "input 0 is uint8 (2,)"},
          {{{Shape{2, 3}, DType::float32}},
           ReduceAttrs{{2}, false},
           "axis 2 is out of range for shape (2, 3)"}};
}
std::vector<BadSample> extreme_bad_samples() {
  return {{{{Shape{2}, DType::boolean}}, ReduceAttrs{{0}, false}, "input 0 is bool (2,)"},
          {{{Shape{2, 0}, DType::float32}}, ReduceAttrs{{1}, false}, "axis 1 of shape (2, 0)"}};
}

}  // namespace

constinit const OpDef op_sum{
    .name = "sum",
    .doc = "sum over axes",
    .dtypes = kSigned,
    .infer = infer_sum,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{broadcast_like(restore_axes(v.g(), v.get<ReduceAttrs>()), v.in(0))};
    }),
    .saves = kSavesNothing,
    .samples = reduction_samples<Domain::normal>,
    .bad_samples = sum_bad_samples,
    .cost = reduction_cost<1>,
};
Tensor sum(const Tensor& x, Axes axes, bool keep_dims) {
  return reduce(Op::sum, x, axes, keep_dims);
}
Tensor sum(const Tensor& x) { return sum(x, all_axes(x)); }

namespace {

/// Elements equal to the extreme share its gradient equally. No element equals a NaN: the share is
/// then 0 / 0, so that a NaN stays visible in the gradient too.
Tensors extreme_vjp(const VjpArgs& v) {
  const auto& attrs = v.get<ReduceAttrs>();
  const Tensor &x = v.in(0), y = restore_axes(v.out(), attrs);
  const Tensor chosen = cast(equal(x.stop_gradient(), y.stop_gradient()), x.dtype());
  return {mul(restore_axes(v.g(), attrs), div(chosen, sum(chosen, attrs.axes, true)))};
}

}  // namespace

constinit const OpDef op_max{
    .name = "max",
    .doc = "largest element over axes; NaN if there is one",
    .dtypes = kNumeric,
    .infer = infer_extreme,
    .vjp = differentiable(extreme_vjp),
    .saves = saves_input(0) | saves_output(),
    .samples = reduction_samples<Domain::distinct>,
    .bad_samples = extreme_bad_samples,
    .cost = reduction_cost<1>,
};
Tensor max(const Tensor& x, Axes axes, bool keep_dims) {
  return reduce(Op::max, x, axes, keep_dims);
}
Tensor max(const Tensor& x) { return max(x, all_axes(x)); }

constinit const OpDef op_min{
    .name = "min",
    .doc = "smallest element over axes; NaN if there is one",
    .dtypes = kNumeric,
    .infer = infer_extreme,
    .vjp = differentiable(extreme_vjp),
    .saves = saves_input(0) | saves_output(),
    .samples = reduction_samples<Domain::distinct>,
    .bad_samples = extreme_bad_samples,
    .cost = reduction_cost<1>,
};
Tensor min(const Tensor& x, Axes axes, bool keep_dims) {
  return reduce(Op::min, x, axes, keep_dims);
}
Tensor min(const Tensor& x) { return min(x, all_axes(x)); }

namespace {

std::vector<Spec> infer_prod(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kSigned);
  return {{shape_without_axis(args), args.dtype(0)}};
}

std::vector<Spec> infer_same_shape(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kSigned);
  const auto* scan = std::get_if<ScanAttrs>(&args.attrs);
  expect_axis(args, 0, scan != nullptr ? scan->axis : args.get<AxisAttrs>().axis);
  return {args.inputs[0]};
}

Tensor prod_of_others(const Tensor& x, int axis) {
  return apply_one(Op::prod_of_others, AxisAttrs{axis}, {x});
}

/// With y_i = prod_{j != i} x_j: dx_k = sum_{i != k} g_i prod_{j != i, k} x_j. Row i of a square
/// holds x with x_i replaced by 1, so the products are prod_of_others along those rows.
Tensors prod_of_others_vjp(const VjpArgs& v) {
  const int row = v.get<AxisAttrs>().axis, column = row + 1;
  const Tensor& x = v.in(0);
  const Tensor one = scalar(1, x.dtype()), zero = scalar(0, x.dtype());
  const Tensor index = cumsum(broadcast_like(one, x.stop_gradient()), row);
  const Tensor diagonal = equal(expand_dims(index, {column}), expand_dims(index, {row}));
  const Tensor others = prod_of_others(where(diagonal, one, expand_dims(x, {row})), column);
  return {sum(where(diagonal, zero, mul(expand_dims(v.g(), {column}), others)), {row})};
}

std::vector<Sample> axis_samples() {
  return {{{{{2, 3, 4}}}, AxisAttrs{1}}, {{{{1, 4}}}, AxisAttrs{1}}, {{{{3, 1}}}, AxisAttrs{1}}};
}
std::vector<BadSample> axis_bad_samples() {
  return {
      {{{Shape{2}, DType::uint8}}, AxisAttrs{0}, "input 0 is uint8 (2,)"},
      {{{Shape{2, 3}, DType::float32}}, AxisAttrs{2}, "axis 2 is out of range for shape (2, 3)"}};
}

}  // namespace

constinit const OpDef op_prod{
    .name = "prod",
    .doc = "product over one axis",
    .dtypes = kSigned,
    .infer = infer_prod,
    .vjp = differentiable([](const VjpArgs& v) {
      const int axis = v.get<AxisAttrs>().axis;
      return Tensors{mul(expand_dims(v.g(), {axis}), prod_of_others(v.in(0), axis))};
    }),
    .saves = saves_input(0),
    .samples = axis_samples,
    .bad_samples = axis_bad_samples,
    .cost = reduction_cost<1>,
};
Tensor prod(const Tensor& x, Axes axes, bool keep_dims) {
  return reduce_axis_by_axis(Op::prod, x, axes, keep_dims);
}
Tensor prod(const Tensor& x) { return prod(x, all_axes(x)); }

constinit const OpDef op_prod_of_others{
    .name = "prod_of_others",
    .doc = "for each element the product of all others along one axis",
    .dtypes = kSigned,
    .infer = infer_same_shape,
    .vjp = differentiable(prod_of_others_vjp),
    .saves = saves_input(0),
    .samples = axis_samples,
    .bad_samples = axis_bad_samples,
    .cost = streaming_cost<3>,
};

constinit const OpDef op_cumsum{
    .name = "cumsum",
    .doc = "running sum along an axis",
    .dtypes = kSigned,
    .infer = infer_same_shape,
    .vjp = differentiable([](const VjpArgs& v) {
      const auto [axis, reverse] = v.get<ScanAttrs>();
      return Tensors{apply_one(Op::cumsum, ScanAttrs{axis, !reverse}, {v.g()})};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3, 4}}}, ScanAttrs{1, false}},
                                     {{{{2, 5}}}, ScanAttrs{1, true}},
                                     {{{{1, 3}}}, ScanAttrs{0, false}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2}, DType::boolean}}, ScanAttrs{0}, "input 0 is bool (2,)"},
              {{{Shape{2, 3}, DType::float32}},
               ScanAttrs{2},
               "axis 2 is out of range for shape (2, 3)"}};
        },
    .cost = streaming_cost<1>,
};
Tensor cumsum(const Tensor& x, int axis, CumsumOptions options) {
  const ScanAttrs attrs{normalize_axis("cumsum", axis, x.shape()), options.reverse};
  return apply_one(Op::cumsum, attrs, {x});
}

namespace {

std::vector<Spec> infer_arg_extreme(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kNumeric);
  const Shape shape = shape_without_axis(args);
  expect_elements(args, args.get<AxisAttrs>().axis);
  return {{shape, DType::int64}};
}

std::vector<Sample> arg_extreme_samples() {
  return {{{{{2, 3, 4}, Domain::ties}}, AxisAttrs{1}},
          {{{{2, 5}, Domain::distinct}}, AxisAttrs{1}},
          {{{{3, 1}, Domain::normal}}, AxisAttrs{1}}};
}
std::vector<BadSample> arg_extreme_bad_samples() {
  return {{{{Shape{2}, DType::boolean}}, AxisAttrs{0}, "input 0 is bool (2,)"},
          {{{Shape{2, 0}, DType::float32}}, AxisAttrs{1}, "axis 1 of shape (2, 0) is empty"}};
}

constexpr const char* kIndexIsConstant =
    "an index is constant between the points where it jumps, so its gradient tells nothing";

}  // namespace

constinit const OpDef op_argmax{
    .name = "argmax",
    .doc = "index of the first largest element along an axis; of the first NaN if there is one",
    .dtypes = kNumeric,
    .infer = infer_arg_extreme,
    .vjp = not_differentiable(kIndexIsConstant),
    .saves = kSavesNothing,
    .samples = arg_extreme_samples,
    .bad_samples = arg_extreme_bad_samples,
    .cost = reduction_cost<1>,
};
Tensor argmax(const Tensor& x, int axis) {
  return apply_one(Op::argmax, AxisAttrs{normalize_axis("argmax", axis, x.shape())}, {x});
}

constinit const OpDef op_argmin{
    .name = "argmin",
    .doc = "index of the first smallest element along an axis; of the first NaN if there is one",
    .dtypes = kNumeric,
    .infer = infer_arg_extreme,
    .vjp = not_differentiable(kIndexIsConstant),
    .saves = kSavesNothing,
    .samples = arg_extreme_samples,
    .bad_samples = arg_extreme_bad_samples,
    .cost = reduction_cost<1>,
};
Tensor argmin(const Tensor& x, int axis) {
  return apply_one(Op::argmin, AxisAttrs{normalize_axis("argmin", axis, x.shape())}, {x});
}

namespace {

std::vector<Spec> infer_sum_to_like(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_dtype(args, 0, kSigned);
  if (!(broadcast_shapes(args.op, args.shape(0), args.shape(1)) == args.shape(0)))
    throw ShapeError(fmt::format("[{}] shape {} is no broadcast of {}", args.op,
                                 args.shape(0).to_string(), args.shape(1).to_string()));
  return {{args.shape(1), args.dtype(0)}};
}

std::vector<Spec> infer_size_of(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kSigned);
  for (Dim axis : args.get<AxesAttrs>().axes) expect_axis(args, 0, axis);
  return {{Shape{}, args.dtype(0)}};
}

}  // namespace

constinit const OpDef op_sum_to_like{
    .name = "sum_to_like",
    .doc = "sum over the axes along which `like` was broadcast",
    .dtypes = kSigned,
    .infer = infer_sum_to_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{broadcast_like(v.g(), v.in(0)), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3, 4}}, {{3, 1}}}, NoAttrs{}},
                                     {{{{2, 3}}, {{}}}, NoAttrs{}},
                                     {{{{1, 3}}, {{1, 3}}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{4, 3}, DType::float32}},
               NoAttrs{},
               "shapes (2, 3) and (4, 3) do not broadcast"}};
        },
    .cost = reduction_cost<1>,
    .shape_only = input_bit(1),
};
Tensor sum_to_like(const Tensor& x, const Tensor& like) {
  return x.shape() == like.shape() ? x : apply_one(Op::sum_to_like, NoAttrs{}, {x, like});
}

constinit const OpDef op_size_of{
    .name = "size_of",
    .doc = "product of the sizes of some axes of x, as a number of x's dtype",
    .dtypes = kSigned,
    .infer = infer_size_of,
    .vjp = differentiable([](const VjpArgs&) { return Tensors{Tensor()}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3, 4}}}, AxesAttrs{{0, 2}}},
                                     {{{{1, 5}}}, AxesAttrs{{0}}},
                                     {{{{}}}, AxesAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         AxesAttrs{{2}},
                                         "axis 2 is out of range for shape (2, 3)"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = input_bit(0),
};
Tensor size_of(const Tensor& x, Axes axes) {
  return apply_one(Op::size_of, AxesAttrs{sorted_axes("size_of", x.shape(), axes)}, {x});
}
Tensor size_of(const Tensor& x) { return size_of(x, all_axes(x)); }

}  // namespace milgrad
