// libhdf5 behind a lock: handles that close themselves, its global settings, its error text.
#pragma once

// Newer versions of the library then offer the calls of 1.10 too.
#define H5_USE_110_API
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <hdf5.h>

namespace milgrad::io {

/// A libhdf5 identifier and the call that closes it.
class Hdf5Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Hdf5Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;

  bool valid() const { return id_ >= 0; }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// While it lives, this thread alone uses libhdf5 (which is not thread-safe), nothing is printed
/// and no filter plugin is loaded. The settings of the program are restored afterwards.
class Hdf5Session {
 public:
  Hdf5Session();
  ~Hdf5Session();
  Hdf5Session(const Hdf5Session&) = delete;
  Hdf5Session& operator=(const Hdf5Session&) = delete;

 private:
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned int plugins_ = 0;
};

/// What the last failed call said at its innermost level, or "no details".
std::string hdf5_error();

/// Settings of a file that is an image in memory: new, or the given one, which is copied.
Hdf5Handle hdf5_memory_file(std::size_t growth, const void* image = nullptr, std::size_t size = 0);

/// The type of one variable-length UTF-8 text.
Hdf5Handle hdf5_text_type();

/// Where the checksum stands: a block that libhdf5 and h5py skip.
constexpr std::size_t kHdf5UserBlock = 512;
constexpr std::string_view kHdf5UserBlockBegin = "milgrad HDF5 file; SHA-256 of the bytes after ";

/// The user block for the bytes that follow it.
std::string hdf5_user_block(std::span<const std::uint8_t> rest);

}  // namespace milgrad::io
