// The rows of each bag of a ragged batch, as its offsets say.
#pragma once

#include "backends/cpu/thread_pool.h"
#include "tensor/call.h"

#include <algorithm>

namespace milgrad::cpu {

/// Offsets of a running program cannot be refused, so they are kept inside of the instances
/// whatever they hold.
class Bags {
 public:
  /// offsets [bags + 1], instances [total, ...]
  Bags(const View& offsets, const Shape& instances)
      : Bags(offsets.as<const std::int64_t>(), offsets.numel - 1, instances) {}
  Bags(const std::int64_t* offsets, std::int64_t count, const Shape& instances)
      : offsets_(offsets),
        count_(count),
        total_(instances[0]),
        row_size_(instances.product(1, instances.rank())) {}

  std::int64_t count() const { return count_; }
  /// Elements of a row.
  std::int64_t row_size() const { return row_size_; }
  std::int64_t begin(std::int64_t bag) const {
    return std::clamp<std::int64_t>(offsets_[bag], 0, total_);
  }
  std::int64_t end(std::int64_t bag) const {
    return std::clamp<std::int64_t>(offsets_[bag + 1], begin(bag), total_);
  }

  /// Calls f(bag, first row, number of rows) for all bags; an element costs `work`.
  template <class F>
  void for_each(std::int64_t work, const F& f) const {
    const std::int64_t mean = count_ == 0 ? 0 : total_ * row_size_ * work / count_;
    parallel_ranges(count_, std::max<std::int64_t>(1, mean),
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::int64_t bag = first; bag < last; ++bag)
                        f(bag, begin(bag), end(bag) - begin(bag));
                    });
  }

  /// Calls f(bag, first, last) for the runs of rows that make up [first, last): those of one bag,
  /// or, with bag -1, those outside of every bag.
  template <class F>
  void for_runs(std::int64_t first, std::int64_t last, const F& f) const {
    std::int64_t bag = 0;
    while (first < last) {
      while (bag < count_ && end(bag) <= first) ++bag;
      const bool outside = bag == count_ || begin(bag) > first;
      const std::int64_t until = bag == count_ ? last : outside ? begin(bag) : end(bag);
      f(outside ? -1 : bag, first, std::min(last, until));
      first = until;
    }
  }

  /// Fills the rows of y in front of the first bag and behind the last one with 0.
  template <class T>
  void clear_outside(T* y) const {
    const std::int64_t front = count_ == 0 ? total_ : begin(0);
    const std::int64_t back = count_ == 0 ? total_ : end(count_ - 1);
    std::fill(y, y + front * row_size_, T(0));
    std::fill(y + back * row_size_, y + total_ * row_size_, T(0));
  }

 private:
  const std::int64_t* offsets_;
  std::int64_t count_;
  std::int64_t total_;
  std::int64_t row_size_;
};

}  // namespace milgrad::cpu
