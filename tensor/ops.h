// Every operation as a function. Shapes are written row-major; axes may be negative; floating
// operations take float32 and float64. All throw ShapeError or DTypeError naming the operation.
#pragma once

#include "tensor/attrs.h"
#include "tensor/tensor.h"

namespace milgrad {

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
/// it differs from 0. Differentiable between floating dtypes.
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

// ---- reductions; without axes over all of them
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, Axes axes, bool keep_dims = false);
/// Undoes a broadcast: sums x over the axes along which `like` has size 1 or is missing.
Tensor sum_to_like(const Tensor& x, const Tensor& like);

// ---- matrix products
/// a [.., m, k] times b [.., k, n] -> [.., m, n]; leading axes broadcast. The flags swap the last
/// two axes of an operand first.
Tensor matmul(const Tensor& a, const Tensor& b, MatmulAttrs flags = {});

// ---- shapes
/// The same elements in memory of their own, such as a snapshot of a variable.
Tensor copy(const Tensor& x);
/// Inserts axes of size 1 at these positions of the result.
Tensor expand_dims(const Tensor& x, Axes axes);
/// x broadcast to the shape of `like`, whose elements are not read.
Tensor broadcast_like(const Tensor& x, const Tensor& like);

// ---- updates of variables; they return nothing and are not differentiable
/// Copies `value` into the variable's memory; both have the same shape and dtype.
void assign(const Variable& variable, const Tensor& value);

}  // namespace milgrad
