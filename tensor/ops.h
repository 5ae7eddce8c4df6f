// Every operation as a function. Shapes are written row-major; axes may be negative; floating
// operations take float32 and float64. All throw ShapeError or DTypeError naming the operation.
#pragma once

#include "tensor/attrs.h"
#include "tensor/tensor.h"

#include <initializer_list>
#include <span>

namespace milgrad {

class Chain;
class Variable;

// ---- elementwise functions of one tensor. NaN gives NaN.
/// -x; floating and signed integer dtypes.
Tensor neg(const Tensor& x);
/// |x|, x of any numeric dtype. The derivative at 0 is 0.
Tensor abs(const Tensor& x);
/// -1, 0 or 1, x of any numeric dtype; the derivative is 0 everywhere.
Tensor sign(const Tensor& x);
/// x * x, x of any numeric dtype.
Tensor square(const Tensor& x);
/// 1 / x
Tensor reciprocal(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// 1 / sqrt(x)
Tensor rsqrt(const Tensor& x);
Tensor exp(const Tensor& x);
/// exp(x) - 1 without loss near 0.
Tensor expm1(const Tensor& x);
/// Natural logarithm; -inf at 0, NaN below.
Tensor log(const Tensor& x);
/// log(1 + x) without loss near 0.
Tensor log1p(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
/// Error function.
Tensor erf(const Tensor& x);
/// The largest whole number not above x; the derivative is 0.
Tensor floor(const Tensor& x);
/// The nearest whole number, halves to the even one; the derivative is 0.
Tensor round(const Tensor& x);
/// x limited to [low, high]; inside and at the bounds the whole gradient passes. Throws ValueError
/// unless low <= high.
Tensor clip(const Tensor& x, double low, double high);
/// False where x is infinite or NaN, as bool. Not differentiable.
Tensor isfinite(const Tensor& x);
/// The values in another dtype. To an integer: the fraction is dropped, values beyond its range
/// become its nearest end, NaN becomes 0; between integers the value wraps around. To bool: whether
/// it differs from 0. Differentiable between floating dtypes; a gradient asked through a cast of
/// floating values to others is a GradientError (PyTorch and JAX silently give none or zeros
/// there): put stop_gradient() where none is meant.
Tensor cast(const Tensor& x, DType dtype);

// ---- activation functions
Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x))
Tensor sigmoid(const Tensor& x);
/// log(1 + exp(x))
Tensor softplus(const Tensor& x);
/// max(x, 0); the derivative at 0 is 0.
Tensor relu(const Tensor& x);
/// x for x > 0, else alpha (exp(x) - 1) (Clevert et al., 2016).
Tensor elu(const Tensor& x, double alpha = 1);
/// x times the standard normal distribution function of x, by erf, not the approximation by tanh
/// (Hendrycks and Gimpel, 2016).
Tensor gelu(const Tensor& x);

// ---- elementwise functions of two tensors of one dtype, with NumPy broadcasting; see also
// operators.h. A number takes the dtype of the tensor; ValueError where that cannot hold it.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
/// a / b; floating dtypes.
Tensor div(const Tensor& a, const Tensor& b);
/// a to the power b; floating dtypes.
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double b);
/// The larger one; where a and b are equal each gets half of the gradient.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, double b);
/// The smaller one; where a and b are equal each gets half of the gradient.
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, double b);

// ---- comparisons of any dtype, giving bool; not differentiable
Tensor equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, double b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, double b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, double b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, double b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, double b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, double b);

// ---- logic of bool tensors; not differentiable
Tensor logical_not(const Tensor& x);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);

/// a where the condition (bool) is true, else b; all three broadcast, a and b have one dtype.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

/// The results of elementwise operations in one pass over their inputs (chain.h), which broadcast.
/// What passes over a traced graph make of several operations. Not differentiable.
Tensors chain(const std::shared_ptr<const Chain>& parts, std::span<const Tensor> inputs);

//  ---- reductions; without axes over all of them. float32 is summed in float64.
/// float32, float64, int32 and int64 (integer sums wrap around on overflow); cast uint8 first.
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, Axes axes, bool keep_dims = false);
/// Largest and smallest element; NaN if there is one. Equal extremes share the gradient equally.
/// Throws ShapeError where there is no element.
Tensor max(const Tensor& x);
Tensor max(const Tensor& x, Axes axes, bool keep_dims = false);
Tensor min(const Tensor& x);
Tensor min(const Tensor& x, Axes axes, bool keep_dims = false);
/// Product; the gradient holds for zeros too. Its second derivative takes n squared memory for
/// axes of size n.
Tensor prod(const Tensor& x);
Tensor prod(const Tensor& x, Axes axes, bool keep_dims = false);
/// Index (int64) of the first largest or smallest element along an axis, of the first NaN if there
/// is one (as NumPy and JAX). Not differentiable.
Tensor argmax(const Tensor& x, int axis = -1);
Tensor argmin(const Tensor& x, int axis = -1);
struct CumsumOptions {
  bool reverse = false;  // from the last element to the first
};
/// y_i = x_0 + ... + x_i along an axis.
Tensor cumsum(const Tensor& x, int axis, CumsumOptions options = {});
/// Undoes a broadcast: sums x over the axes along which `like` has size 1 or is missing.
Tensor sum_to_like(const Tensor& x, const Tensor& like);
/// The number of elements of x, or the product of its sizes along `axes`, as a rank-0 tensor of x's
/// dtype; a symbolic size is read when the program runs.
Tensor size_of(const Tensor& x);
Tensor size_of(const Tensor& x, Axes axes);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, Axes axes, bool keep_dims = false);
/// Population variance (divides by n), in two passes.
Tensor var(const Tensor& x);
Tensor var(const Tensor& x, Axes axes, bool keep_dims = false);
/// Square root of var; its gradient is 0 where the variance is 0.
Tensor stddev(const Tensor& x);
Tensor stddev(const Tensor& x, Axes axes, bool keep_dims = false);
/// Euclidean norm; its gradient at 0 is 0.
Tensor norm(const Tensor& x);
Tensor norm(const Tensor& x, Axes axes, bool keep_dims = false);

// ---- softmax; stable for logits of any size, NaN in is NaN out
/// exp(x) / sum(exp(x)) along an axis. Where all of a row is -inf (everything masked) nothing is
/// chosen: its softmax is 0 and its log_softmax -inf.
Tensor softmax(const Tensor& x, int axis = -1);
Tensor log_softmax(const Tensor& x, int axis = -1);
/// log(sum(exp(x))); -inf where all elements are.
Tensor logsumexp(const Tensor& x);
Tensor logsumexp(const Tensor& x, Axes axes, bool keep_dims = false);

// ---- ragged batches: the instances x [total, ...] of several bags stand one after the other;
// offsets int64 [bags + 1] start with 0, never fall and end with total: bag i is rows
// offsets[i] .. offsets[i + 1] - 1 and may be empty. Offsets in the CPU's memory are checked
// (ValueError); under a trace they cannot be, and rows outside of every bag count for nothing.
/// -> [bags, ...]; 0 for an empty bag.
Tensor segment_sum(const Tensor& x, const Tensor& offsets);
Tensor segment_mean(const Tensor& x, const Tensor& offsets);
/// -> [bags, ...]; NaN if there is one; equal maxima share the gradient. 0 for an empty bag, as sum
/// and mean: -inf would turn into NaN in the next layer.
Tensor segment_max(const Tensor& x, const Tensor& offsets);
/// -> [total, ...]: softmax within each bag.
Tensor segment_softmax(const Tensor& x, const Tensor& offsets);
/// y [bags, ...] -> [total, ...]: each instance gets the row of its bag. Of `like` [total, ...]
/// only the first size is read.
Tensor segment_broadcast(const Tensor& y, const Tensor& offsets, const Tensor& like);

// ---- attention pooling (Ilse et al., Attention-based deep multiple instance learning, 2018, eq. 8
// and 9): s_i = w^T (tanh(V^T h_i + b_v) * sigmoid(U^T h_i + b_u)) + b_w, alpha = softmax(s) over
// the instances of a bag, pooled = sum_i alpha_i h_i
struct AttentionWeights {
  Tensor value;       // V [features, hidden], of the tanh
  Tensor gate = {};   // U [features, hidden], of the sigmoid; undefined: attention without gate
  Tensor score = {};  // w [hidden, 1]
  Tensor value_bias = {};  // [hidden]; a bias that is undefined is 0
  Tensor gate_bias = {};   // [hidden]
  Tensor score_bias = {};  // [1]
};
struct AttentionPoolOptions {
  /// int64 [bags + 1], as for the segment operations; undefined: all instances are one bag.
  Tensor offsets = {};
  /// What the backward pass reads of tanh and sigmoid, [instances, 2 hidden] numbers. `automatic`
  /// keeps them up to 128 MiB and computes them again (one sixth more work) above that; a program
  /// for any number of instances decides at each.
  enum class Gates { automatic, keep, recompute };
  Gates gates = Gates::automatic;
};
struct AttentionPool {
  Tensor pooled;  // [bags, features]; 0 for an empty bag
  Tensor alpha;   // [instances, 1]
};
/// Instances [total, features] -> the weighted sum of each bag, and the weights. What it needs
/// beside its results does not grow with the number of instances, but for the gates that are kept.
/// Throws ShapeError, DTypeError, and ValueError for bad offsets as the segment operations do.
AttentionPool gated_attention_pool(const Tensor& instances, const AttentionWeights& weights,
                                   const AttentionPoolOptions& options = {});

// ---- losses from logits, one value per sample
/// logits [samples, classes], integer labels [samples] -> [samples]: -log(softmax(logits)[label]).
/// Throws ValueError naming row and label for one outside of 0..classes-1 (NaN under a trace).
Tensor sparse_softmax_cross_entropy(const Tensor& logits, const Tensor& labels);
/// logits, targets [samples, classes] -> [samples]: -sum(targets * log(softmax(logits))); a target
/// of 0 adds 0 even where the logit is -inf.
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets);
/// Elementwise -t log(s) - (1 - t) log(1 - s) with s = sigmoid(logit), without overflow.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets);

// ---- matrix products
/// a [.., m, k] times b [.., k, n] -> [.., m, n]; leading axes broadcast. The flags swap the last
/// two axes of an operand first.
Tensor matmul(const Tensor& a, const Tensor& b, MatmulAttrs flags = {});
/// x [.., k] times weight [k, n], plus bias [n] if it is given -> [.., n].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ---- shapes
/// The same elements in memory of their own, such as a snapshot of a variable.
Tensor copy(const Tensor& x);
/// The same elements, row-major, in another shape; one size may be -1: whatever is left.
Tensor reshape(const Tensor& x, const Shape& shape);
/// x in the shape of `like`, whose elements are not read.
Tensor reshape_like(const Tensor& x, const Tensor& like);
/// Merges the axes first_axis..last_axis into one; by default all but the leading one. A tensor
/// [n] becomes [n, 1].
Tensor flatten(const Tensor& x, int first_axis = 1, int last_axis = -1);
/// Axis i of the result is axis axes[i] of x; without axes their order is reversed.
Tensor transpose(const Tensor& x, const Axes& axes);
Tensor transpose(const Tensor& x);
/// Inserts axes of size 1 at these positions of the result.
Tensor expand_dims(const Tensor& x, Axes axes);
/// Removes these axes, which must have size 1; without axes all that have.
Tensor squeeze(const Tensor& x, const Axes& axes);
Tensor squeeze(const Tensor& x);
/// x repeated along axes of size 1, with NumPy's rule, to a shape.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// x broadcast to the shape of `like`, whose elements are not read.
Tensor broadcast_like(const Tensor& x, const Tensor& like);
/// Reverses the order of the positions along these axes.
Tensor flip(const Tensor& x, const Axes& axes);

// ---- cutting and joining along one axis
/// x[start:stop:step] on one axis, such as slice(x, {.axis = 1, .start = 2, .stop = -1}). Negative
/// positions count from the end; positions outside of the axis are an error. A slice of leading
/// positions shares x's memory.
Tensor slice(const Tensor& x, SliceAttrs range);
/// As many positions on the axis as `like` has, from range.start on (range.stop is not read).
Tensor slice_like(const Tensor& x, const Tensor& like, SliceAttrs range);
/// A constant before and behind x on one axis: pad(x, {.axis = 1, .before = 2, .value = -1}).
Tensor pad(const Tensor& x, PadAttrs attrs);
/// Zeros in the shape of `like`, with x from range.start on: undoes slice and slice_like.
Tensor pad_like(const Tensor& x, const Tensor& like, SliceAttrs range);
/// Joins tensors whose shapes differ on the axis only.
Tensor concat(std::span<const Tensor> parts, int axis = 0);
inline Tensor concat(std::initializer_list<Tensor> parts, int axis = 0) {
  return concat(std::span<const Tensor>(parts.begin(), parts.size()), axis);
}
/// Joins tensors of one shape along a new axis.
Tensor stack(std::span<const Tensor> parts, int axis = 0);
inline Tensor stack(std::initializer_list<Tensor> parts, int axis = 0) {
  return stack(std::span<const Tensor>(parts.begin(), parts.size()), axis);
}
/// Parts of these sizes, or `count` parts of one size, along the axis.
Tensors split(const Tensor& x, std::span<const Dim> sizes, int axis = 0);
Tensors split(const Tensor& x, int count, int axis = 0);
/// The positions of the axis one by one, without that axis.
Tensors unstack(const Tensor& x, int axis = 0);

// ---- selecting by index (int32 or int64); indices outside of the axis are an error
/// x[.., indices, ..] on one axis: the axes of `indices` stand in place of it.
Tensor gather(const Tensor& x, const Tensor& indices, int axis = 0);
/// Zeros in the shape of `like`, with `updates` (of the shape that gather gives) added at the
/// indexed positions, in the order of the indices.
Tensor scatter_add_like(const Tensor& updates, const Tensor& indices, const Tensor& like,
                        int axis = 0);
/// x with `updates` added at the indexed positions of one axis.
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& updates, int axis = 0);
/// [.., classes] with 1 at the index and 0 elsewhere. An index outside of 0..classes-1 gives a row
/// of zeros, as Keras on JAX has it.
Tensor one_hot(const Tensor& indices, Dim classes, DType dtype = DType::float32);

// ---- random numbers (Philox4x32-10, random.h): functions of a key, int64 [2]. A float64 number is
// the float32 number of the same key with more digits.
/// The key of the next draw; advances the state of a RandomGenerator.
Tensor next_key(const Variable& state);

struct UniformOptions {
  double low = 0;
  double high = 1;
  DType dtype = DType::float32;
};
/// Uniform numbers in [low, high).
Tensor random_uniform(const Tensor& key, const Shape& shape, UniformOptions options = {});
/// The same in the shape and dtype of `like`, whose elements are not read.
Tensor random_uniform_like(const Tensor& like, const Tensor& key, double low = 0, double high = 1);

struct NormalOptions {
  double mean = 0;
  double stddev = 1;
  DType dtype = DType::float32;
};
Tensor random_normal(const Tensor& key, const Shape& shape, NormalOptions options = {});
/// Normal numbers as if those beyond two `stddev` of the mean were drawn again; `stddev` is that of
/// the normal distribution before.
Tensor random_truncated_normal(const Tensor& key, const Shape& shape, NormalOptions options = {});
/// Each element becomes 0 with probability `rate`, else x / (1 - rate); the gradient draws the same
/// elements from the same key (Srivastava et al., 2014).
Tensor dropout(const Tensor& x, const Tensor& key, double rate);

// ---- updates of variables; they return nothing and are not differentiable
/// Copies `value` into the variable's memory; both have the same shape and dtype.
void assign(const Variable& variable, const Tensor& value);
/// x -= learning_rate * gradient. The learning rate, a float of shape (), is read when the step
/// runs.
void sgd_update(const Variable& variable, const Tensor& gradient, const Tensor& learning_rate);
/// velocity = momentum * velocity - learning_rate * gradient; x += velocity, or with Nesterov's
/// look-ahead x += momentum * velocity - learning_rate * gradient.
void sgd_update(const Variable& variable, const Tensor& gradient, const Tensor& learning_rate,
                const Variable& velocity, SgdAttrs attrs);
/// The size of step t = steps + 1 of Adam, float64 of shape (), where `steps` (an integer of shape
/// ()) is the number of steps done before; the caller counts them:
///   learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
Tensor adam_step_size(const Tensor& learning_rate, const Tensor& steps,
                      AdamStepSizeAttrs attrs = {});
/// One step of Adam (Kingma and Ba, 2015) in Keras's form; step_size is that of adam_step_size()
/// with the same betas:
///   m += (g - m)(1 - beta_1);  v += (g^2 - v)(1 - beta_2);  x -= m step_size / (sqrt(v) + epsilon)
void adam_update(const Variable& variable, const Variable& first_moment,
                 const Variable& second_moment, const Tensor& gradient, const Tensor& step_size,
                 AdamAttrs attrs = {});

}  // namespace milgrad
