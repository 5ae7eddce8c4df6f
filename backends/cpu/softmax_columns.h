// Softmax down the columns of a matrix, shared by softmax over an axis and over the instances of a
// bag: m = max(x), y = exp(x - m) / sum(exp(x - m)), so that exp never overflows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace milgrad::cpu {

inline constexpr std::int64_t kSoftmaxColumns = 256;

/// The maximum m of a column and s = sum(exp(x - m)) in float64.
template <class T>
struct SoftmaxColumns {
  T maximum[kSoftmaxColumns];
  double total[kSoftmaxColumns];

  /// x: `length` rows `stride` apart, of which `width` columns are read. Where all elements are
  /// -inf, m counts as 0 so that exp(x - m) is 0 instead of NaN; a NaN anywhere makes m NaN.
  SoftmaxColumns(const T* x, std::int64_t length, std::int64_t stride, std::int64_t width) {
    constexpr T kLowest = -std::numeric_limits<T>::infinity();
    std::fill_n(maximum, width, kLowest);
    for (std::int64_t i = 0; i < length; ++i)
      for (std::int64_t c = 0; c < width; ++c) {
        const T value = x[i * stride + c];
        if (value > maximum[c] || value != value) maximum[c] = value;
      }
    for (std::int64_t c = 0; c < width; ++c)
      if (maximum[c] == kLowest) maximum[c] = 0;
    std::fill_n(total, width, 0.0);
    for (std::int64_t i = 0; i < length; ++i)
      for (std::int64_t c = 0; c < width; ++c)
        total[c] += static_cast<double>(std::exp(x[i * stride + c] - maximum[c]));
  }

  /// log(sum(exp(x))) - m; -inf for a column of -inf.
  double log_total(std::int64_t c) const { return std::log(total[c]); }
};

/// y = softmax(x) for one strip of columns; nothing is chosen where all elements are -inf.
template <class T>
void softmax_columns(const T* x, T* y, std::int64_t length, std::int64_t stride,
                     std::int64_t width) {
  const SoftmaxColumns<T> columns(x, length, stride, width);
  for (std::int64_t i = 0; i < length; ++i)
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t at = i * stride + c;
      const double total = columns.total[c];
      y[at] =
          total == 0
              ? T(0)
              : static_cast<T>(static_cast<double>(std::exp(x[at] - columns.maximum[c])) / total);
    }
}

/// Calls f(begin, width) for strips of at most kSoftmaxColumns of `count` columns.
template <class F>
void for_each_softmax_strip(std::int64_t count, F&& f) {
  for (std::int64_t begin = 0; begin < count; begin += kSoftmaxColumns)
    f(begin, std::min(kSoftmaxColumns, count - begin));
}

}  // namespace milgrad::cpu
