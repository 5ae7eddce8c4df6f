// SmallVector: a list that holds its first N elements in place, so that the funnel's short lists
// cost no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace milgrad {

template <class T, std::size_t N>
class SmallVector {
 public:
  /// A list of `size` default-constructed elements.
  explicit SmallVector(std::size_t size) : size_(size) {
    if (size > N) heap_.resize(size);
  }
  T* data() { return size_ > N ? heap_.data() : inline_.data(); }
  const T* data() const { return size_ > N ? heap_.data() : inline_.data(); }
  T& operator[](std::size_t i) { return data()[i]; }
  std::size_t size() const { return size_; }
  operator std::span<const T>() const { return {data(), size_}; }  // NOLINT: a list is a span

 private:
  std::size_t size_;
  std::array<T, N> inline_{};
  std::vector<T> heap_;
};

}  // namespace milgrad
