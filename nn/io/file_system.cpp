// The operating system's calls behind FileSystem.
#include "nn/io/file_system.h"

#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace milgrad::io {

int FileSystem::open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }

ssize_t FileSystem::write(int file, const void* bytes, std::size_t count) {
  return ::write(file, bytes, count);
}

int FileSystem::fsync(int file) { return ::fsync(file); }

int FileSystem::close(int file) { return ::close(file); }

int FileSystem::rename(const char* from, const char* to) { return std::rename(from, to); }

int FileSystem::link(const char* from, const char* to) { return ::link(from, to); }

int FileSystem::unlink(const char* path) { return ::unlink(path); }

FileSystem& operating_system() {
  static FileSystem system;
  return system;
}

}  // namespace milgrad::io
