// Comparing the elements of a tensor with numbers from elsewhere.
#pragma once

#include "backends/cpu/thread_pool.h"
#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad::test {

/// The elements of a floating or integer tensor as float64.
inline std::vector<double> numbers(const Tensor& x) {
  std::vector<double> result;
  visit_dtype(x.dtype(), [&]<class T>() {
    for (const T value : x.data<T>()) result.push_back(static_cast<double>(value));
  });
  return result;
}

/// Shape and elements agree; NaN with NaN, infinities with themselves, others to within
/// `tolerance` relative to the expected number (at least 1).
inline void check_values(const Tensor& x, const Shape& shape, const std::vector<double>& expected,
                         double tolerance = 0) {
  CHECK(x.shape() == shape);
  const std::vector<double> actual = numbers(x);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CAPTURE(actual[i]);
    CAPTURE(expected[i]);
    if (std::isfinite(expected[i]))
      CHECK(std::abs(actual[i] - expected[i]) <= tolerance * std::fmax(1.0, std::abs(expected[i])));
    else
      CHECK((actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i]))));
  }
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.spec() == b.spec() &&
         std::memcmp(a.raw_data(), b.raw_data(),
                     static_cast<std::size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

inline bool same_bits(const Tensors& a, const Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

/// Numbers in (-1, 1) from a linear congruential generator (Knuth's MMIX constants).
inline std::vector<float> noise(std::size_t count, std::uint64_t state = 1) {
  std::vector<float> values(count);
  for (float& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<double>(state >> 11) * 0x1p-52 - 1);
  }
  return values;
}

/// The same as a tensor.
inline Tensor noisy(const Shape& shape, std::uint64_t seed = 1) {
  return tensor(noise(static_cast<std::size_t>(shape.numel()), seed), shape);
}

/// Sets the number of threads for a scope.
class Threads {
 public:
  explicit Threads(int count) : before_(num_threads()) { set_num_threads(count); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// f() gives a tensor, or several, of the same bits on 1, 2, 3 and 5 threads.
template <class F>
void check_same_bits_for_any_thread_count(const F& f) {
  const auto run = [&](int threads) {
    const Threads scope(threads);
    return f();
  };
  const auto expected = run(1);
  for (int threads : {2, 3, 5}) {
    CAPTURE(threads);
    CHECK(same_bits(run(threads), expected));
  }
}

}  // namespace milgrad::test
