// OneOrMany: what goes into a layer or model and comes out of it, one tensor or a list of them.
#pragma once

#include "tensor/error.h"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace milgrad::nn {

/// A list of T (Tensor or SymbolicTensor) that a single T converts to, and that converts back to a
/// single T; the latter throws ValueError unless it holds exactly one.
template <class T>
class OneOrMany {
 public:
  OneOrMany(T one) : list_{std::move(one)} {}                 // NOLINT: implicit by intent
  OneOrMany(std::vector<T> list) : list_(std::move(list)) {}  // NOLINT: implicit by intent
  OneOrMany(std::initializer_list<T> list) : list_(list) {}

  const std::vector<T>& list() const { return list_; }
  operator const std::vector<T>&() const { return list_; }  // NOLINT: implicit by intent
  operator const T&() const { return one(); }               // NOLINT: implicit by intent
  const T& one() const {
    if (list_.size() == 1) return list_[0];
    throw ValueError("[nn] one tensor was expected, got a list of " + std::to_string(list_.size()),
                     "take the ones you need with [index]");
  }

  std::size_t size() const { return list_.size(); }
  const T& operator[](std::size_t index) const { return list_.at(index); }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }

 private:
  std::vector<T> list_;
};

}  // namespace milgrad::nn
