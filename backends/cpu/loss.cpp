// Losses from logits, one row at a time: with m = max(x) and s = sum(exp(x - m)) the logarithm of
// softmax is x - m - log(s).
#include "backends/cpu/softmax_columns.h"
#include "backends/kernel_table.h"

#include <cmath>
#include <limits>

namespace milgrad::cpu {
namespace {

template <class T>
class LogSoftmaxRow {
 public:
  LogSoftmaxRow(const T* x, std::int64_t classes) : x_(x) {
    constexpr T kLowest = -std::numeric_limits<T>::infinity();
    maximum_ = kLowest;
    for (std::int64_t i = 0; i < classes; ++i)
      if (x[i] > maximum_ || x[i] != x[i]) maximum_ = x[i];
    if (maximum_ == kLowest) maximum_ = 0;
    double total = 0;
    for (std::int64_t i = 0; i < classes; ++i)
      total += static_cast<double>(std::exp(x[i] - maximum_));
    log_total_ = total == 0 ? 0 : std::log(total);
  }
  double operator[](std::int64_t i) const {
    return static_cast<double>(x_[i] - maximum_) - log_total_;
  }

 private:
  const T* x_;
  T maximum_;
  double log_total_;
};

}  // namespace

void sparse_softmax_cross_entropy(const Call& call) {
  const std::int64_t rows = call.in(0).shape[0], classes = call.in(0).shape[1];
  visit_floating(call.out().dtype, [&]<class T>() {
    visit_dtype(call.in(1).dtype, [&]<class Label>() {
      const T* x = call.in(0).as<const T>();
      const Label* labels = call.in(1).as<const Label>();
      T* y = call.out().as<T>();
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto label = static_cast<std::int64_t>(labels[row]);
        const LogSoftmaxRow<T> log_softmax(x + row * classes, classes);
        // A label without a class never reads outside of the row.
        y[row] = label >= 0 && label < classes ? static_cast<T>(-log_softmax[label])
                                               : std::numeric_limits<T>::quiet_NaN();
      }
    });
  });
}

void softmax_cross_entropy(const Call& call) {
  const std::int64_t rows = call.in(0).shape[0], classes = call.in(0).shape[1];
  visit_floating(call.out().dtype, [&]<class T>() {
    const T *x = call.in(0).as<const T>(), *targets = call.in(1).as<const T>();
    T* y = call.out().as<T>();
    for (std::int64_t row = 0; row < rows; ++row) {
      const LogSoftmaxRow<T> log_softmax(x + row * classes, classes);
      const T* t = targets + row * classes;
      double loss = 0;
      for (std::int64_t i = 0; i < classes; ++i)
        if (t[i] != 0) loss -= static_cast<double>(t[i]) * log_softmax[i];
      y[row] = static_cast<T>(loss);
    }
  });
}

/// max(x, 0) - x t + log(1 + exp(-|x|))
void binary_cross_entropy_with_logits(const Call& call) {
  visit_floating(call.out().dtype, [&]<class T>() {
    const T *x = call.in(0).as<const T>(), *t = call.in(1).as<const T>();
    T* y = call.out().as<T>();
    for (std::int64_t i = 0; i < call.out().numel; ++i)
      y[i] = (x[i] < 0 ? T(0) : x[i]) - x[i] * t[i] + std::log1p(std::exp(-std::abs(x[i])));
  });
}

}  // namespace milgrad::cpu
