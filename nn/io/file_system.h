// The system calls behind the file writer, as a class so that tests can make each of them fail.
#pragma once

#include <cstddef>

#include <sys/types.h>

namespace milgrad::io {

/// The calls that write_file makes. Each returns what the system call of its name returns: -1 with
/// errno set on failure. A test derives from it and overrides the call that shall fail.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int open(const char* path, int flags, mode_t mode);
  virtual ssize_t write(int file, const void* bytes, std::size_t count);
  virtual int fsync(int file);
  virtual int close(int file);
  virtual int rename(const char* from, const char* to);
  virtual int link(const char* from, const char* to);
  virtual int unlink(const char* path);
};

/// The operating system's own calls.
FileSystem& operating_system();

}  // namespace milgrad::io
