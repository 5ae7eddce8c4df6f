// Statistics over axes: ordinary functions of operations.
#include "tensor/ops/definitions.h"

namespace milgrad {
namespace {

void expect_floating(const char* name, const Tensor& x) {
  if (!kFloating.contains(x.dtype()))
    throw DTypeError(fmt::format("[{}] input 0 is {}; expected {}", name, x.spec().to_string(),
                                 to_string(kFloating)),
                     "use cast()");
}

/// The square root of x >= 0 with gradient 0 instead of infinity at 0.
Tensor sqrt_with_zero_gradient(const Tensor& x) {
  const Tensor zero = scalar(0, x.dtype()), one = scalar(1, x.dtype());
  const Tensor at_zero = equal(x, zero);
  return where(at_zero, zero, sqrt(where(at_zero, one, x)));
}

}  // namespace

Tensor mean(const Tensor& x, Axes axes, bool keep_dims) {
  expect_floating("mean", x);
  return div(sum(x, axes, keep_dims), size_of(x, axes));
}
Tensor mean(const Tensor& x) { return mean(x, all_axes(x)); }

Tensor var(const Tensor& x, Axes axes, bool keep_dims) {
  expect_floating("var", x);
  return mean(square(sub(x, mean(x, axes, true))), axes, keep_dims);
}
Tensor var(const Tensor& x) { return var(x, all_axes(x)); }

Tensor stddev(const Tensor& x, Axes axes, bool keep_dims) {
  expect_floating("stddev", x);
  return sqrt_with_zero_gradient(var(x, axes, keep_dims));
}
Tensor stddev(const Tensor& x) { return stddev(x, all_axes(x)); }

Tensor norm(const Tensor& x, Axes axes, bool keep_dims) {
  expect_floating("norm", x);
  return sqrt_with_zero_gradient(sum(square(x), axes, keep_dims));
}
Tensor norm(const Tensor& x) { return norm(x, all_axes(x)); }

}  // namespace milgrad
