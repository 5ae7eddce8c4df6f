// Tensors made from values on the host.
#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include <fmt/format.h>

namespace milgrad {
namespace {

/// The end of an integer dtype's range, which double holds exactly where its largest value is not.
template <class T>
constexpr double kEnd = 2.0 * static_cast<double>(T{1} << (std::numeric_limits<T>::digits - 1));

void check_representable(const char* what, double value, DType dtype) {
  const bool fits = visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      return true;
    else if constexpr (std::is_same_v<T, bool>)
      return value == 0 || value == 1;
    else
      return value == std::floor(value) &&
             value >= static_cast<double>(std::numeric_limits<T>::min()) && value < kEnd<T>;
  });
  if (!fits)
    throw ValueError(fmt::format("[{}] {} is not a {} number", what, value, name_of(dtype)),
                     "choose a dtype that holds it");
}

template <class T>
T* elements(const Tensor& x) {
  return reinterpret_cast<T*>(x.raw_data());
}

}  // namespace

template <class T>
Tensor tensor(std::span<const T> values, const Shape& shape) {
  if (shape.numel() != static_cast<std::int64_t>(values.size()))
    throw ShapeError(
        fmt::format("[tensor] {} values do not fill shape {}", values.size(), shape.to_string()));
  Tensor result = Tensor::empty({shape, dtype_of<T>()});
  std::copy(values.begin(), values.end(), elements<T>(result));
  return result;
}

template Tensor tensor(std::span<const float>, const Shape&);
template Tensor tensor(std::span<const double>, const Shape&);
template Tensor tensor(std::span<const std::int32_t>, const Shape&);
template Tensor tensor(std::span<const std::int64_t>, const Shape&);
template Tensor tensor(std::span<const std::uint8_t>, const Shape&);
template Tensor tensor(std::span<const bool>, const Shape&);

Tensor full(const Shape& shape, double value, DType dtype) {
  check_representable("full", value, dtype);
  Tensor result = Tensor::empty({shape, dtype});
  visit_dtype(dtype, [&]<class T>() {
    std::fill_n(elements<T>(result), result.numel(), static_cast<T>(value));
  });
  return result;
}

Tensor scalar(double value, DType dtype) { return full({}, value, dtype); }
Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor arange(double start, double stop, double step, DType dtype) {
  if (!(std::isfinite(start) && std::isfinite(stop) && std::isfinite(step)) || step == 0)
    throw ValueError(
        fmt::format("[arange] no range from {} to {} in steps of {}", start, stop, step),
        "the step must not be 0 and all must be finite");
  const double steps = std::max(0.0, std::ceil((stop - start) / step));
  if (!(steps < kEnd<std::int64_t>)) throw std::bad_alloc();
  const auto count = static_cast<std::int64_t>(steps);
  // All numbers between the first and the last are representable if these and the step are.
  if (count > 0) check_representable("arange", start, dtype);
  if (count > 1) check_representable("arange", start + (steps - 1) * step, dtype);
  if (count > 1 && !is_floating(dtype) && step != std::floor(step))
    throw ValueError(fmt::format("[arange] a step of {} between {} numbers", step, name_of(dtype)),
                     "choose a dtype that holds it");
  Tensor result = Tensor::empty({Shape{count}, dtype});
  visit_dtype(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < count; ++i)
      elements<T>(result)[i] = static_cast<T>(start + static_cast<double>(i) * step);
  });
  return result;
}

}  // namespace milgrad
