// The exceptions milgrad throws. Every message says what came, what was expected and, as the
// hint, what to do; the library never aborts or exits.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace milgrad {

/// Base of all exceptions thrown by milgrad. what() holds the message, hint() the cure (or "").
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, std::string hint = {})
      : std::runtime_error(message), hint_(std::move(hint)) {}
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string hint_;
};

/// An argument outside of what is allowed.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// Shapes that do not fit together, or an axis out of range.
class ShapeError : public ValueError {
 public:
  using ValueError::ValueError;
};

/// A dtype that an operation does not take; milgrad never promotes dtypes by itself.
class DTypeError : public ValueError {
 public:
  using ValueError::ValueError;
};

/// A gradient that does not exist: not differentiable, no path, or a saved value overwritten.
class GradientError : public Error {
 public:
  using Error::Error;
};

/// A traced tensor read on the host, or used outside of its trace.
class TraceError : public Error {
 public:
  using Error::Error;
};

/// A device that is absent, or a call to its library that failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// Training that met a NaN or infinite loss.
class NonFiniteError : public Error {
 public:
  using Error::Error;
};

/// A file that is missing or cannot be read.
class NotFoundError : public Error {
 public:
  NotFoundError(std::string path, const std::string& message, std::string hint = {})
      : Error(path + ": " + message, std::move(hint)), path_(std::move(path)) {}
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

/// Where in a file something is wrong; rows and columns count from 1, 0 means "not known".
struct FilePlace {
  std::string path;
  std::int64_t row = 0;
  std::int64_t column = 0;

  std::string to_string() const {
    std::string text = path;
    if (row > 0) text.append(":").append(std::to_string(row));
    if (row > 0 && column > 0) text.append(":").append(std::to_string(column));
    return text;
  }
};

/// A file whose content is malformed. Message: "FILE:ROW:COL: what; expected X, found Y".
class FormatError : public Error {
 public:
  FormatError(FilePlace place, const std::string& message, std::string hint = {})
      : Error(place.to_string() + ": " + message, std::move(hint)), place_(std::move(place)) {}
  const FilePlace& place() const noexcept { return place_; }

 private:
  FilePlace place_;
};

/// An output that cannot be created or written (permission, full disk, size limit).
class WriteError : public Error {
 public:
  enum class Kind { cannot_create, io_error };
  WriteError(Kind kind, std::string path, const std::string& message, std::string hint = {})
      : Error(path + ": " + message, std::move(hint)), kind_(kind), path_(std::move(path)) {}
  Kind kind() const noexcept { return kind_; }
  const std::string& path() const noexcept { return path_; }

 private:
  Kind kind_;
  std::string path_;
};

}  // namespace milgrad
