// Every operation as a function. Shapes are written row-major; axes may be negative; floating
// operations take float32 and float64. All throw ShapeError or DTypeError naming the operation.
#pragma once

#include "tensor/attrs.h"
#include "tensor/tensor.h"

namespace milgrad {

class Variable;

// ---- elementwise, with NumPy broadcasting
Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor add(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);

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
