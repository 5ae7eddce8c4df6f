// A reference-counted block of memory on a device, shared by all tensors that alias it.
#pragma once

#include "tensor/device.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace milgrad {

class Storage {
 public:
  /// Uninitialised memory from the device's caching allocator, aligned to 64 bytes.
  Storage(std::size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  /// Counts the in-place updates, so that a value saved for the backward pass and overwritten
  /// since is found out instead of giving a wrong gradient.
  std::uint64_t version() const { return version_; }
  void bump_version() { ++version_; }

  /// Whether it is the memory of a Variable; any other never changes once its elements are there.
  bool is_variable() const { return is_variable_; }
  void mark_as_variable() { is_variable_ = true; }

 private:
  std::byte* data_;
  std::size_t bytes_;
  std::uint64_t version_ = 0;
  bool is_variable_ = false;
  Device device_;
};

}  // namespace milgrad
