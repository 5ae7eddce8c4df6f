// Operators and functions of a tensor and a number.
#include "tensor/operators.h"

#include <cmath>

#include <fmt/format.h>

namespace milgrad {
namespace {

/// The number as a tensor of rank 0 with the dtype of `beside`.
Tensor number(const char* op, double value, const Tensor& beside) {
  const DType dtype = beside.dtype();
  const bool fits = visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      return true;
    else
      return std::trunc(value) == value &&
             value >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
             value <= static_cast<double>(std::numeric_limits<T>::max());
  });
  if (!fits)
    throw ValueError(fmt::format("[{}] the number {} is no {}, the dtype of the tensor {}", op,
                                 value, name_of(dtype), beside.shape().to_string()),
                     "use cast()");
  return scalar(value, dtype);
}

}  // namespace

Tensor operator+(const Tensor& a, double b) { return add(a, number("add", b, a)); }
Tensor operator-(const Tensor& a, double b) { return sub(a, number("sub", b, a)); }
Tensor operator*(const Tensor& a, double b) { return mul(a, number("mul", b, a)); }
Tensor operator/(const Tensor& a, double b) { return div(a, number("div", b, a)); }
Tensor operator+(double a, const Tensor& b) { return add(number("add", a, b), b); }
Tensor operator-(double a, const Tensor& b) { return sub(number("sub", a, b), b); }
Tensor operator*(double a, const Tensor& b) { return mul(number("mul", a, b), b); }
Tensor operator/(double a, const Tensor& b) { return div(number("div", a, b), b); }

Tensor pow(const Tensor& a, double b) { return pow(a, number("pow", b, a)); }
Tensor maximum(const Tensor& a, double b) { return maximum(a, number("maximum", b, a)); }
Tensor minimum(const Tensor& a, double b) { return minimum(a, number("minimum", b, a)); }

Tensor equal(const Tensor& a, double b) { return equal(a, number("equal", b, a)); }
Tensor not_equal(const Tensor& a, double b) { return not_equal(a, number("not_equal", b, a)); }
Tensor less(const Tensor& a, double b) { return less(a, number("less", b, a)); }
Tensor less_equal(const Tensor& a, double b) { return less_equal(a, number("less_equal", b, a)); }
Tensor greater(const Tensor& a, double b) { return greater(a, number("greater", b, a)); }
Tensor greater_equal(const Tensor& a, double b) {
  return greater_equal(a, number("greater_equal", b, a));
}

}  // namespace milgrad
