// Choice: an object of training (optimizer, metric), given as such or by name.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>

namespace milgrad::nn {

/// Shared ownership of a T, or the T with default options that a name stands for; T::by_name throws
/// ValueError with the nearest for an unknown one.
template <class T>
class Choice {
 public:
  Choice(const char* name) : Choice(std::string(name)) {}            // NOLINT: implicit
  Choice(const std::string& name) : object_(T::by_name(name)) {}     // NOLINT: implicit
  Choice(std::shared_ptr<T> object) : object_(std::move(object)) {}  // NOLINT: implicit
  template <class U>
  requires std::derived_from<U, T> Choice(std::shared_ptr<U> object)  // NOLINT: implicit
      : object_(std::move(object)) {}

  const std::shared_ptr<T>& get() const { return object_; }

 private:
  std::shared_ptr<T> object_;
};

}  // namespace milgrad::nn
