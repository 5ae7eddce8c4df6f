// Ragged batches: sums, means, maxima and softmax over the instances of each bag.
#include "backends/cpu/softmax_columns.h"
#include "backends/kernel_table.h"

#include <algorithm>

namespace milgrad::cpu {
namespace {

/// The rows of each bag. Offsets of a running program cannot be refused, so they are kept inside of
/// the instances whatever they hold.
class Bags {
 public:
  Bags(const View& offsets, std::int64_t total)
      : offsets_(offsets.as<const std::int64_t>()), count_(offsets.numel - 1), total_(total) {}
  std::int64_t count() const { return count_; }
  std::int64_t begin(std::int64_t bag) const {
    return std::clamp<std::int64_t>(offsets_[bag], 0, total_);
  }
  std::int64_t end(std::int64_t bag) const {
    return std::clamp<std::int64_t>(offsets_[bag + 1], begin(bag), total_);
  }
  /// The first row behind all bags.
  std::int64_t behind() const { return count_ == 0 ? 0 : end(count_ - 1); }

 private:
  const std::int64_t* offsets_;
  std::int64_t count_;
  std::int64_t total_;
};

std::int64_t row_size(const Shape& shape) { return shape.product(1, shape.rank()); }

constexpr std::int64_t kColumns = 256;

/// y[bag] = sum of its rows, times scale(rows). Summed in float64.
template <class Scale>
void sum_rows(const Call& call, Scale scale) {
  const Bags bags(call.in(1), call.in(0).shape[0]);
  const std::int64_t size = row_size(call.in(0).shape);
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    T* y = call.out().as<T>();
    for (std::int64_t bag = 0; bag < bags.count(); ++bag)
      for (std::int64_t begin = 0; begin < size; begin += kColumns) {
        const std::int64_t width = std::min(kColumns, size - begin);
        double acc[kColumns] = {};
        for (std::int64_t row = bags.begin(bag); row < bags.end(bag); ++row)
          for (std::int64_t c = 0; c < width; ++c)
            acc[c] += static_cast<double>(x[row * size + begin + c]);
        const double divisor = scale(bags.end(bag) - bags.begin(bag));
        for (std::int64_t c = 0; c < width; ++c)
          y[bag * size + begin + c] = static_cast<T>(acc[c] / divisor);
      }
  });
}

}  // namespace

void segment_sum(const Call& call) {
  sum_rows(call, [](std::int64_t) { return 1.0; });
}

void segment_mean(const Call& call) {
  sum_rows(call, [](std::int64_t rows) { return rows == 0 ? 1.0 : static_cast<double>(rows); });
}

void segment_max(const Call& call) {
  const Bags bags(call.in(1), call.in(0).shape[0]);
  const std::int64_t size = row_size(call.in(0).shape);
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    for (std::int64_t bag = 0; bag < bags.count(); ++bag) {
      T* y = call.out().as<T>() + bag * size;
      const std::int64_t begin = bags.begin(bag), end = bags.end(bag);
      if (begin == end)
        std::fill_n(y, size, T(0));
      else
        std::copy_n(x + begin * size, size, y);
      for (std::int64_t row = begin + 1; row < end; ++row)
        for (std::int64_t c = 0; c < size; ++c) {
          const T value = x[row * size + c];
          if (value > y[c] || value != value) y[c] = value;
        }
    }
  });
}

void segment_softmax(const Call& call) {
  const Bags bags(call.in(1), call.in(0).shape[0]);
  const std::int64_t size = row_size(call.in(0).shape);
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    T* y = call.out().as<T>();
    std::fill(y + bags.behind() * size, y + call.out().numel, T(0));
    for (std::int64_t bag = 0; bag < bags.count(); ++bag)
      for_each_softmax_strip(size, [&](std::int64_t begin, std::int64_t width) {
        const std::int64_t first = bags.begin(bag) * size + begin;
        softmax_columns(x + first, y + first, bags.end(bag) - bags.begin(bag), size, width);
      });
  });
}

void segment_broadcast(const Call& call) {
  const Bags bags(call.in(1), call.out().shape[0]);
  const std::int64_t size = row_size(call.out().shape);
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* x = call.in(0).as<const T>();
    T* y = call.out().as<T>();
    std::fill(y + bags.behind() * size, y + call.out().numel, T(0));
    for (std::int64_t bag = 0; bag < bags.count(); ++bag)
      for (std::int64_t row = bags.begin(bag); row < bags.end(bag); ++row)
        std::copy_n(x + bag * size, size, y + row * size);
  });
}

}  // namespace milgrad::cpu
