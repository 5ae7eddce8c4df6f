// Tensors made from values on the host.
#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace milgrad {
namespace {

void check_representable(double value, DType dtype) {
  const bool fits = visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      return true;
    else if constexpr (std::is_same_v<T, bool>)
      return value == 0 || value == 1;
    else
      return value == std::floor(value) &&
             value >= static_cast<double>(std::numeric_limits<T>::min()) &&
             value <= static_cast<double>(std::numeric_limits<T>::max());
  });
  if (!fits)
    throw ValueError(fmt::format("[full] {} is not a {} number", value, name_of(dtype)),
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
  check_representable(value, dtype);
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
  const auto count =
      std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil((stop - start) / step)));
  Tensor result = Tensor::empty({Shape{count}, dtype});
  visit_dtype(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < count; ++i)
      elements<T>(result)[i] = static_cast<T>(start + static_cast<double>(i) * step);
  });
  return result;
}

}  // namespace milgrad
