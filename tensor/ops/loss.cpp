// Definitions of the fused losses from logits.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

void expect_logits(const InferArgs& args) {
  expect_dtype(args, 0, kFloating);
  if (args.shape(0).rank() == 2 && args.shape(0)[1] > 0) return;
  throw ShapeError(fmt::format("[{}] logits have shape {}; expected (samples, classes)", args.op,
                               args.shape(0).to_string()));
}

std::vector<Spec> infer_sparse(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_logits(args);
  expect_dtype(args, 1, kIndex);
  const Shape &logits = args.shape(0), &labels = args.shape(1);
  if (labels.rank() != 1 || labels[0] != logits[0])
    throw ShapeError(fmt::format("[{}] labels have shape {}; expected ({},) for logits {}", args.op,
                                 labels.to_string(), dim_to_string(logits[0]), logits.to_string()));
  return {{Shape{logits[0]}, args.dtype(0)}};
}

std::vector<Spec> infer_equal_shapes(const InferArgs& args) {
  expect_inputs(args, 2);
  expect_same_dtype(args, kFloating);
  if (args.shape(0) == args.shape(1)) return {args.inputs[0]};
  throw ShapeError(fmt::format("[{}] targets have shape {}; expected {} as the logits", args.op,
                               args.shape(1).to_string(), args.shape(0).to_string()),
                   "a loss does not broadcast: use reshape()");
}

std::vector<Spec> infer_dense(const InferArgs& args) {
  infer_equal_shapes(args);
  expect_logits(args);
  return {{Shape{args.shape(0)[0]}, args.dtype(0)}};
}

void check_labels(const char* op, const Tensor& logits, const Tensor& labels) {
  const Dim classes = logits.shape().back();
  visit_dtype(labels.dtype(), [&]<class T>() {
    const auto values = labels.data<T>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto label = static_cast<std::int64_t>(values[i]);
      if (label >= 0 && label < classes) continue;
      throw ValueError(fmt::format("[{}] label {} in row {} of {} has no class; expected 0..{}", op,
                                   label, i, labels.shape().to_string(), classes - 1));
    }
  });
}

Tensor one_hot_like(const Tensor& labels, const Tensor& logits) {
  return one_hot(labels, logits.shape().back(), logits.dtype());
}

/// sum(t (log(sum(exp(x))) - x)), where t = 0 counts as 0 even if the logit is -inf.
Tensors dense_reference(std::span<const Tensor> in, const Attrs&) {
  const Tensor &logits = in[0], &targets = in[1], zero = scalar(0, logits.dtype());
  const Tensor terms = where(equal(targets, zero), zero, mul(targets, log_softmax(logits, 1)));
  return {neg(sum(terms, {1}))};
}

}  // namespace

constinit const OpDef op_sparse_softmax_cross_entropy{
    .name = "sparse_softmax_cross_entropy",
    .doc = "-log(softmax(logits)[label]) of each row",
    .dtypes = kFloating,
    .infer = infer_sparse,
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor &logits = v.in(0), &labels = v.in(1);
      const Tensor error = sub(softmax(logits, 1), one_hot_like(labels, logits));
      return Tensors{mul(expand_dims(v.g(), {1}), error), Tensor()};
    }),
    .saves = kSavesAllInputs,
    .samples =
        [] {
          return std::vector<Sample>{{{{{3, 4}}, {{3}, Domain::integers, 4}}, NoAttrs{}},
                                     {{{{1, 2}}, {{1}, Domain::integers, 2}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{3, 4}, DType::float32}, {Shape{2}, DType::int64}},
               NoAttrs{},
               "labels have shape (2,); expected (3,) for logits (3, 4)"},
              {{{Shape{3, 4}, DType::float32}, {Shape{3}, DType::float32}},
               NoAttrs{},
               "input 1 is float32 (3,)"}};
        },
    .cost = streaming_cost<25>,
    .reference =
        [](std::span<const Tensor> in, const Attrs& attrs) {
          const Tensor inputs[] = {in[0], one_hot_like(in[1], in[0])};
          return dense_reference(inputs, attrs);
        },
};
Tensor sparse_softmax_cross_entropy(const Tensor& logits, const Tensor& labels) {
  const Tensor losses = apply_one(Op::sparse_softmax_cross_entropy, NoAttrs{}, {logits, labels});
  if (can_read(labels)) check_labels("sparse_softmax_cross_entropy", logits, labels);
  return losses;
}

constinit const OpDef op_softmax_cross_entropy{
    .name = "softmax_cross_entropy",
    .doc = "-sum(targets * log(softmax(logits))) of each row",
    .dtypes = kFloating,
    .infer = infer_dense,
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor &logits = v.in(0), &targets = v.in(1), g = expand_dims(v.g(), {1});
      Tensor dlogits, dtargets;
      if (v.needs(0))
        dlogits = mul(g, sub(mul(softmax(logits, 1), sum(targets, {1}, true)), targets));
      if (v.needs(1)) dtargets = neg(mul(g, log_softmax(logits, 1)));
      return Tensors{dlogits, dtargets};
    }),
    .saves = kSavesAllInputs,
    .samples =
        [] {
          return std::vector<Sample>{{{{{3, 4}}, {{3, 4}, Domain::unit}}, NoAttrs{}},
                                     {{{{1, 2}}, {{1, 2}, Domain::unit}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{3, 4}, DType::float32}, {Shape{3, 1}, DType::float32}},
               NoAttrs{},
               "targets have shape (3, 1); expected (3, 4) as the logits"},
              {{{Shape{3}, DType::float32}, {Shape{3}, DType::float32}},
               NoAttrs{},
               "logits have shape (3,); expected (samples, classes)"}};
        },
    .cost = streaming_cost<25>,
    .reference = dense_reference,
};
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return apply_one(Op::softmax_cross_entropy, NoAttrs{}, {logits, targets});
}

constinit const OpDef op_binary_cross_entropy_with_logits{
    .name = "binary_cross_entropy_with_logits",
    .doc = "-t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)), elementwise",
    .dtypes = kFloating,
    .infer = infer_equal_shapes,
    .vjp = differentiable([](const VjpArgs& v) {
      const Tensor &logits = v.in(0), &targets = v.in(1);
      return Tensors{v.needs(0) ? mul(v.g(), sub(sigmoid(logits), targets)) : Tensor(),
                     v.needs(1) ? neg(mul(v.g(), logits)) : Tensor()};
    }),
    .saves = kSavesAllInputs,
    .samples =
        [] {
          return std::vector<Sample>{{{{{2, 3}}, {{2, 3}, Domain::unit}}, NoAttrs{}},
                                     {{{{4, 1}}, {{4, 1}, Domain::unit}}, NoAttrs{}}};
        },
    .bad_samples =
        [] {
          return std::vector<BadSample>{
              {{{Shape{3}, DType::float32}, {Shape{3, 1}, DType::float32}},
               NoAttrs{},
               "targets have shape (3, 1); expected (3,) as the logits"}};
        },
    .cost = streaming_cost<30>,
    .reference = [](std::span<const Tensor> in,
                    const Attrs&) { return Tensors{sub(softplus(in[0]), mul(in[1], in[0]))}; },
};
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets) {
  return apply_one(Op::binary_cross_entropy_with_logits, NoAttrs{}, {logits, targets});
}

}  // namespace milgrad
