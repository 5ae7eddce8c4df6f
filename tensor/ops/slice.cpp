// Definitions of the operations that cut tensors apart and join them along one axis. Each pair
// (slice_like, pad_like) and (concat, split_like) is the other's gradient.
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {
namespace {

/// Definitions mark at most 64 inputs as shape_only; longer lists are joined in groups.
constexpr std::size_t kMaxConcat = 32;

std::size_t alias_leading_slice(const Spec& input, const Attrs& attrs) {
  const auto& range = std::get<SliceAttrs>(attrs);
  const Shape& shape = input.shape;
  for (int axis = 0; axis < range.axis; ++axis)
    if (shape[axis] != 1) return kNoAlias;
  if (range.step != 1) return kNoAlias;
  return static_cast<std::size_t>(range.start * shape.product(range.axis + 1, shape.rank())) *
         size_of(input.dtype);
}

[[noreturn]] void refuse_range(const InferArgs& args, const SliceAttrs& range) {
  const std::string stop = range.stop == SliceAttrs::kToEnd ? "" : std::to_string(range.stop);
  throw ShapeError(
      fmt::format("[{}] range {}:{}:{} on axis {} does not fit shape {}", args.op, range.start,
                  stop, range.step, range.axis, args.shape(0).to_string()),
      "0 <= start <= stop <= size and step >= 1 are needed");
}

std::vector<Spec> infer_slice(const InferArgs& args) {
  expect_inputs(args, 1);
  const auto& range = args.get<SliceAttrs>();
  Shape shape = args.shape(0);
  Dim& size = shape[normalize_axis(args.op, range.axis, shape)];
  if (is_symbolic(size)) {
    if (range.start != 0 || range.stop != SliceAttrs::kToEnd || range.step != 1)
      throw ShapeError(fmt::format("[{}] axis {} of shape {} has no known size to slice", args.op,
                                   range.axis, shape.to_string()),
                       "use gather() or segment operations on an axis of varying size");
    return {args.inputs[0]};
  }
  const Dim stop = range.stop == SliceAttrs::kToEnd ? size : range.stop;
  if (range.start < 0 || range.start > stop || stop > size || range.step < 1)
    refuse_range(args, range);
  size = stop == range.start ? 0 : (stop - range.start - 1) / range.step + 1;
  return {{shape, args.dtype(0)}};
}

/// Whether `count` elements from range.start in steps of range.step fit into `size`; of an axis
/// without a known size only the whole does.
bool fits(const SliceAttrs& range, Dim count, Dim size) {
  if (is_symbolic(count) || is_symbolic(size))
    return count == size && range.start == 0 && range.step == 1;
  if (count == 0) return range.start <= size;
  return range.start < size && count - 1 <= (size - 1 - range.start) / range.step;
}

/// Throws unless `small` has the sizes of `big` but on the axis, where the range fits into it.
void expect_part(const InferArgs& args, const Shape& small, const Shape& big) {
  const auto& range = args.get<SliceAttrs>();
  const int axis = normalize_axis(args.op, range.axis, big);
  Shape same = big;
  if (small.rank() == big.rank()) same[axis] = small[axis];
  if (!(same == small) || range.start < 0 || range.step < 1 || !fits(range, small[axis], big[axis]))
    throw ShapeError(
        fmt::format("[{}] shape {} from {} in steps of {} on axis {} is no part of {}", args.op,
                    small.to_string(), range.start, range.step, axis, big.to_string()),
        "all other sizes must be equal");
}

std::vector<Spec> infer_slice_like(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_part(args, args.shape(1), args.shape(0));
  return {{args.shape(1), args.dtype(0)}};
}

std::vector<Spec> infer_pad_like(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_part(args, args.shape(0), args.shape(1));
  return {{args.shape(1), args.dtype(0)}};
}

std::vector<Spec> infer_pad(const InferArgs& args) {
  expect_inputs(args, 1);
  const auto& attrs = args.get<PadAttrs>();
  Shape shape = args.shape(0);
  Dim& size = shape[normalize_axis(args.op, attrs.axis, shape)];
  if (attrs.before < 0 || attrs.after < 0)
    throw ShapeError(fmt::format("[{}] {} before and {} behind axis {} of shape {}", args.op,
                                 attrs.before, attrs.after, attrs.axis, args.shape(0).to_string()),
                     "both must be >= 0; use slice() to remove elements");
  size = add_dims(size, attrs.before + attrs.after);
  return {{shape, args.dtype(0)}};
}

/// Throws unless the shapes of inputs first.. differ on the axis only; returns their total size.
Dim joined_size(const InferArgs& args, int first, int axis) {
  Dim total = 0;
  for (int i = first; i < args.count(); ++i) {
    Shape same = args.shape(first);
    if (args.shape(i).rank() == same.rank()) same[axis] = args.shape(i)[axis];
    if (!(same == args.shape(i)))
      throw ShapeError(fmt::format("[{}] shapes {} and {} do not fit on axis {}", args.op,
                                   args.shape(first).to_string(), args.shape(i).to_string(), axis),
                       "all other sizes must be equal");
    total = add_dims(total, args.shape(i)[axis]);
  }
  return total;
}

void expect_some(const InferArgs& args) {
  if (args.count() == 0)
    throw ShapeError(fmt::format("[{}] got 0 inputs; expected at least 1", args.op));
}

std::vector<Spec> infer_concat(const InferArgs& args) {
  expect_some(args);
  expect_same_dtype(args, kAnyDType);
  const int axis = normalize_axis(args.op, args.get<AxisAttrs>().axis, args.shape(0));
  Shape shape = args.shape(0);
  shape[axis] = joined_size(args, 0, axis);
  return {{shape, args.dtype(0)}};
}

std::vector<Spec> infer_split_like(const InferArgs& args) {
  if (args.count() < 2)
    throw ShapeError(fmt::format("[{}] got {} inputs; expected at least 2", args.op, args.count()));
  const int axis = normalize_axis(args.op, args.get<AxisAttrs>().axis, args.shape(0));
  Shape joined = args.shape(1);
  if (axis < joined.rank()) joined[axis] = joined_size(args, 1, axis);
  if (!(joined == args.shape(0)))
    throw ShapeError(fmt::format("[{}] shape {} is not the parts' {} joined on axis {}", args.op,
                                 args.shape(0).to_string(), joined.to_string(), axis));
  std::vector<Spec> outputs;
  for (int i = 1; i < args.count(); ++i) outputs.push_back({args.shape(i), args.dtype(0)});
  return outputs;
}

Tensors split_like(const Tensor& x, std::span<const Tensor> parts, int axis) {
  Tensors inputs{x};
  inputs.insert(inputs.end(), parts.begin(), parts.end());
  return apply(Op::split_like, AxisAttrs{axis}, inputs);
}

/// Parts on an axis with nothing in front of it lie one behind the other.
std::size_t parts_alias(const Spec& x, const Attrs& attrs) {
  return x.shape.product(0, std::get<AxisAttrs>(attrs).axis) == 1 ? 0 : kNoAlias;
}

Shape with_axis(const Shape& part, int axis, Dim size) {
  Shape shape = part;
  shape.insert(axis, size);
  return shape;
}

std::vector<Spec> infer_stack(const InferArgs& args) {
  expect_some(args);
  expect_same_dtype(args, kAnyDType);
  for (int i = 1; i < args.count(); ++i)
    if (!(args.shape(i) == args.shape(0)))
      throw ShapeError(fmt::format("[{}] shapes {} and {} differ", args.op,
                                   args.shape(0).to_string(), args.shape(i).to_string()),
                       "concat joins tensors whose sizes differ on the axis");
  return {{with_axis(args.shape(0), args.get<AxisAttrs>().axis, args.count()), args.dtype(0)}};
}

std::vector<Spec> infer_unstack(const InferArgs& args) {
  expect_inputs(args, 1);
  expect_dtype(args, 0, kAnyDType);
  const int axis = normalize_axis(args.op, args.get<AxisAttrs>().axis, args.shape(0));
  const Dim size = args.shape(0)[axis];
  if (is_symbolic(size))
    throw ShapeError(fmt::format("[{}] axis {} of shape {} has no known size", args.op, axis,
                                 args.shape(0).to_string()),
                     "unstack an axis of known size");
  Shape part = args.shape(0);
  part.erase(axis);
  return std::vector<Spec>(static_cast<std::size_t>(size), Spec{part, args.dtype(0)});
}

/// The cotangents of parts, zeros for those that nothing read.
Tensors defined_cotangents(const VjpArgs& v) {
  Tensors parts(v.cotangents.begin(), v.cotangents.end());
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!parts[i].defined()) parts[i] = broadcast_like(scalar(0, v.in(0).dtype()), v.outputs[i]);
  return parts;
}

Tensors split_like_vjp(const VjpArgs& v) {
  Tensors gradients(v.inputs.size());
  gradients[0] = concat(defined_cotangents(v), v.get<AxisAttrs>().axis);
  return gradients;
}

/// Python's meaning of a negative position, where the size is known.
Dim from_end(Dim position, Dim size) {
  return position < 0 && !is_symbolic(size) ? position + size : position;
}

}  // namespace

constinit const OpDef op_slice{
    .name = "slice",
    .doc = "a range of positions on one axis",
    .dtypes = kAnyDType,
    .infer = infer_slice,
    .vjp = differentiable(
        [](const VjpArgs& v) { return Tensors{pad_like(v.g(), v.in(0), v.get<SliceAttrs>())}; }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{4, 3}}}, SliceAttrs{.axis = 0, .start = 1, .stop = 3}},
              {{{{2, 5, 2}}}, SliceAttrs{.axis = 1, .start = 0, .step = 2}},
              {{{{1, 5}}}, SliceAttrs{.axis = 1, .start = 1, .stop = 5, .step = 3}},
              {{{{3, 2}}}, SliceAttrs{.axis = 1, .start = 2}}};
        },
    .bad_samples =
        [] {
          const std::vector<Spec> x{{Shape{4, 3}, DType::float32}};
          return std::vector<BadSample>{
              {x, SliceAttrs{.axis = 0, .start = 1, .stop = 5},
               "range 1:5:1 on axis 0 does not fit shape (4, 3)"},
              {x, SliceAttrs{.axis = 0, .start = 3, .stop = 2}, "does not fit shape (4, 3)"},
              {x, SliceAttrs{.axis = 0, .step = 0}, "range 0::0 on axis 0"},
              {x, SliceAttrs{.axis = 2}, "axis 2 is out of range for shape (4, 3)"}};
        },
    .cost = streaming_cost<0>,
    .alias = alias_leading_slice,
};
Tensor slice(const Tensor& x, SliceAttrs range) {
  range.axis = normalize_axis("slice", range.axis, x.shape());
  const Dim size = x.shape()[range.axis];
  range.start = from_end(range.start, size);
  range.stop = from_end(range.stop, size);
  return apply_one(Op::slice, range, {x});
}

constinit const OpDef op_slice_like{
    .name = "slice_like",
    .doc = "as many positions on one axis as another tensor has, from a start in steps",
    .dtypes = kAnyDType,
    .infer = infer_slice_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{pad_like(v.g(), v.in(0), v.get<SliceAttrs>()), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{5, 2}}, {{2, 2}}}, SliceAttrs{.axis = 0, .start = 2}},
              {{{{2, 5}}, {{2, 2}}}, SliceAttrs{.axis = 1, .start = 1, .step = 3}},
              {{{{1, 3}}, {{1, 1}}}, SliceAttrs{.axis = 1, .start = 2}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{4, 3}, DType::float32}, {Shape{4, 2}, DType::float32}},
               SliceAttrs{.axis = 1, .start = 2},
               "shape (4, 2) from 2 in steps of 1 on axis 1 is no part of (4, 3)"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = input_bit(1),
    .alias = alias_leading_slice,
};
Tensor slice_like(const Tensor& x, const Tensor& like, SliceAttrs range) {
  range.stop = SliceAttrs::kToEnd;
  return apply_one(Op::slice_like, range, {x, like});
}

constinit const OpDef op_pad{
    .name = "pad",
    .doc = "a constant before and behind the elements on one axis",
    .dtypes = kAnyDType,
    .infer = infer_pad,
    .vjp = differentiable([](const VjpArgs& v) {
      const auto& pad = v.get<PadAttrs>();
      return Tensors{slice_like(v.g(), v.in(0), {.axis = pad.axis, .start = pad.before})};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{2, 3}}}, PadAttrs{.axis = 1, .before = 1, .after = 2}},
              {{{{1, 2}}}, PadAttrs{.axis = 0, .before = 0, .after = 1, .value = 2.5}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         PadAttrs{.axis = 1, .before = -1},
                                         "-1 before and 0 behind axis 1 of shape (2, 3)"}};
        },
    .cost = streaming_cost<0>,
};
Tensor pad(const Tensor& x, PadAttrs attrs) {
  attrs.axis = normalize_axis("pad", attrs.axis, x.shape());
  return apply_one(Op::pad, attrs, {x});
}

constinit const OpDef op_pad_like{
    .name = "pad_like",
    .doc = "x at a range of positions on one axis of another tensor's shape, zeros elsewhere",
    .dtypes = kAnyDType,
    .infer = infer_pad_like,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{slice_like(v.g(), v.in(0), v.get<SliceAttrs>()), Tensor()};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{{2, 2}}, {{5, 2}}}, SliceAttrs{.axis = 0, .start = 2}},
              {{{{2, 2}}, {{2, 5}}}, SliceAttrs{.axis = 1, .start = 1, .step = 3}},
              {{{{1, 1}}, {{1, 3}}}, SliceAttrs{.axis = 1, .start = 2}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{4, 2}, DType::float32}, {Shape{4, 3}, DType::float32}},
               SliceAttrs{.axis = 1, .start = 2},
               "shape (4, 2) from 2 in steps of 1 on axis 1 is no part of (4, 3)"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = input_bit(1),
};
Tensor pad_like(const Tensor& x, const Tensor& like, SliceAttrs range) {
  range.stop = SliceAttrs::kToEnd;
  return apply_one(Op::pad_like, range, {x, like});
}

constinit const OpDef op_concat{
    .name = "concat",
    .doc = "tensors joined along one axis",
    .dtypes = kAnyDType,
    .infer = infer_concat,
    .vjp = differentiable(
        [](const VjpArgs& v) { return split_like(v.g(), v.inputs, v.get<AxisAttrs>().axis); }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{1, 3}}, {{3, 3}}}, AxisAttrs{0}},
                                     {{{{2, 1}}, {{2, 3}}}, AxisAttrs{1}},
                                     {{{{2, 0}}, {{2, 2}}}, AxisAttrs{1}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{2, 4}, DType::float32}},
               AxisAttrs{0},
               "shapes (2, 3) and (2, 4) do not fit on axis 0"},
              {{{Shape{2}, DType::float32}, {Shape{2}, DType::float64}},
               AxisAttrs{0},
               "dtypes are never promoted"},
              {{}, AxisAttrs{0}, "got 0 inputs; expected at least 1"}};
        },
    .cost = streaming_cost<0>,
};
Tensor concat(std::span<const Tensor> parts, int axis) {
  if (parts.size() <= kMaxConcat) {
    if (!parts.empty()) axis = normalize_axis("concat", axis, parts[0].shape());
    return parts.size() == 1 ? parts[0] : apply_one(Op::concat, AxisAttrs{axis}, parts);
  }
  Tensors groups;
  for (std::size_t first = 0; first < parts.size(); first += kMaxConcat)
    groups.push_back(
        concat(parts.subspan(first, std::min(kMaxConcat, parts.size() - first)), axis));
  return concat(groups, axis);
}

constinit const OpDef op_split_like{
    .name = "split_like",
    .doc = "cuts a tensor along one axis into the shapes of others",
    .dtypes = kAnyDType,
    .infer = infer_split_like,
    .vjp = differentiable(split_like_vjp),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{6, 2}}, {{2, 2}}, {{1, 2}}, {{3, 2}}}, AxisAttrs{0}},
                                     {{{{2, 4}}, {{2, 1}}, {{2, 3}}}, AxisAttrs{1}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{4, 2}, DType::float32},
                                          {Shape{2, 2}, DType::float32},
                                          {Shape{1, 2}, DType::float32}},
                                         AxisAttrs{0},
                                         "shape (4, 2) is not the parts' (3, 2) joined on axis 0"}};
        },
    .cost = streaming_cost<0>,
    .shape_only = ~input_bit(0),
    .alias = parts_alias,
};

constinit const OpDef op_stack{
    .name = "stack",
    .doc = "tensors of one shape side by side on a new axis",
    .dtypes = kAnyDType,
    .infer = infer_stack,
    .vjp = differentiable([](const VjpArgs& v) { return unstack(v.g(), v.get<AxisAttrs>().axis); }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{2, 3}}, {{2, 3}}}, AxisAttrs{0}},
                                     {{{{2, 1}}, {{2, 1}}}, AxisAttrs{2}},
                                     {{{{}}, {{}}}, AxisAttrs{0}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{2, 3}, DType::float32}, {Shape{2, 4}, DType::float32}},
               AxisAttrs{0},
               "shapes (2, 3) and (2, 4) differ"},
              {{{Shape{2}, DType::float32}, {Shape{2}, DType::float64}},
               AxisAttrs{0},
               "dtypes are never promoted"},
              {{}, AxisAttrs{0}, "got 0 inputs; expected at least 1"}};
        },
    .cost = streaming_cost<0>,
};
Tensor stack(std::span<const Tensor> parts, int axis) {
  if (!parts.empty()) axis = normalize_axis("stack", axis, with_axis(parts[0].shape(), 0, 1));
  if (parts.size() <= kMaxConcat) return apply_one(Op::stack, AxisAttrs{axis}, parts);
  Tensors groups;
  for (std::size_t first = 0; first < parts.size(); first += kMaxConcat)
    groups.push_back(stack(parts.subspan(first, std::min(kMaxConcat, parts.size() - first)), axis));
  return concat(groups, axis);
}

constinit const OpDef op_unstack{
    .name = "unstack",
    .doc = "the positions of one axis, each a tensor without that axis",
    .dtypes = kAnyDType,
    .infer = infer_unstack,
    .vjp = differentiable([](const VjpArgs& v) {
      return Tensors{stack(defined_cotangents(v), v.get<AxisAttrs>().axis)};
    }),
    .saves = kSavesNothing,
    .samples =
        [] {
          return std::vector<Sample>{{{{{3, 2}}}, AxisAttrs{0}},
                                     {{{{2, 3}}}, AxisAttrs{1}},
                                     {{{{1, 4, 2}}}, AxisAttrs{1}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{{{{Shape{2, 3}, DType::float32}},
                                         AxisAttrs{2},
                                         "axis 2 is out of range for shape (2, 3)"}};
        },
    .cost = streaming_cost<0>,
    .alias = parts_alias,
};
Tensors unstack(const Tensor& x, int axis) {
  return apply(Op::unstack, AxisAttrs{normalize_axis("unstack", axis, x.shape())}, {&x, 1});
}

Tensors split(const Tensor& x, std::span<const Dim> sizes, int axis) {
  axis = normalize_axis("split", axis, x.shape());
  Tensors parts;
  Dim start = 0;
  for (Dim size : sizes) {
    if (size < 0 && !is_symbolic(size))
      throw ShapeError(fmt::format("[split] a part of size {} on axis {} of shape {}", size, axis,
                                   x.shape().to_string()),
                       "sizes are 0 or more");
    parts.push_back(slice(x, {.axis = axis, .start = start, .stop = start + size}));
    start += size;
  }
  if (start != x.shape()[axis])
    throw ShapeError(
        fmt::format("[split] the parts have {} of the positions on axis {} of shape {}", start,
                    axis, x.shape().to_string()),
        "the sizes must add up to the axis's");
  return parts;
}

Tensors split(const Tensor& x, int count, int axis) {
  const Dim size = x.size(axis);
  if (count < 1 || is_symbolic(size) || size % count != 0)
    throw ShapeError(fmt::format("[split] axis {} of shape {} cannot be cut into {} equal parts",
                                 axis, x.shape().to_string(), count),
                     "give the sizes of the parts");
  return split(x, std::vector<Dim>(static_cast<std::size_t>(count), size / count), axis);
}

}  // namespace milgrad
