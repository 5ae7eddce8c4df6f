// Printing of tensors, as NumPy lays them out.
#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include <fmt/format.h>

namespace milgrad {
namespace {

constexpr Dim kEdgeItems = 3;            // shown at either end of a shortened axis
constexpr std::int64_t kShorten = 1000;  // tensors with more elements are shortened

template <class T>
std::string element(T value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else if constexpr (std::is_floating_point_v<T>)
    return std::isnan(value) ? "nan" : fmt::format("{:.8g}", value);  // never "-nan"
  else
    return fmt::format("{}", value);
}

template <class T>
class Printer {
 public:
  explicit Printer(const Tensor& x) : values_(x.data<T>()), shape_(x.shape()) {
    shorten_ = x.numel() > kShorten;
    visit(0, 0, [&](std::int64_t i) {
      width_ = std::max(width_, element(values_[static_cast<std::size_t>(i)]).size());
    });
  }

  std::string axis(int axis, std::int64_t start) const {
    if (axis == shape_.rank())
      return fmt::format("{:>{}}", element(values_[static_cast<std::size_t>(start)]), width_);
    const Dim size = shape_[axis];
    const std::int64_t stride = shape_.product(axis + 1, shape_.rank());
    const std::string separator =
        axis + 1 == shape_.rank()
            ? ", "
            : "," + std::string(static_cast<std::size_t>(shape_.rank() - axis - 1), '\n') +
                  std::string(static_cast<std::size_t>(axis + 1), ' ');
    std::string text = "[";
    for (Dim i = 0; i < size; ++i) {
      if (i > 0) text += separator;
      if (hidden(size, i)) {
        text += "...";
        i = size - kEdgeItems - 1;
        continue;
      }
      text += this->axis(axis + 1, start + i * stride);
    }
    return text + "]";
  }

 private:
  bool hidden(Dim size, Dim i) const {
    return shorten_ && size > 2 * kEdgeItems && i == kEdgeItems;
  }

  template <class F>
  void visit(int axis, std::int64_t start, const F& f) const {
    if (axis == shape_.rank()) return f(start);
    const std::int64_t stride = shape_.product(axis + 1, shape_.rank());
    for (Dim i = 0; i < shape_[axis]; ++i) {
      if (hidden(shape_[axis], i)) i = shape_[axis] - kEdgeItems;
      visit(axis + 1, start + i * stride, f);
    }
  }

  std::span<const T> values_;
  Shape shape_;
  bool shorten_ = false;
  std::size_t width_ = 0;
};

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "undefined";
  return visit_dtype(x.dtype(), [&]<class T>() { return Printer<T>(x).axis(0, 0); });
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace milgrad
