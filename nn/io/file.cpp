// Reading whole files, older generations and folders.
#include "nn/io/file.h"

#include "tensor/error.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace milgrad::io {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

// An open file that closes itself.
struct InputFile {
  explicit InputFile(const std::filesystem::path& path)
      : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~InputFile() {
    if (descriptor >= 0) ::close(descriptor);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int descriptor;
};

struct stat status_of(const InputFile& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.descriptor, &status) != 0) {
    throw NotFoundError(path, "cannot be read: " + reason(errno));
  }
  return status;
}

void read_fully(const InputFile& file, const std::filesystem::path& path, Bytes& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file.descriptor, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw NotFoundError(path, "cannot be read: " + reason(errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
}

}  // namespace

Bytes read_file(const std::filesystem::path& path) {
  const InputFile file(path);
  if (file.descriptor < 0) {
    if (errno == ENOENT) throw NotFoundError(path, "no such file");
    throw NotFoundError(path, "cannot be opened: " + reason(errno));
  }
  const struct stat before = status_of(file, path);
  if (S_ISDIR(before.st_mode)) throw NotFoundError(path, "is a folder; expected a file");
  if (!S_ISREG(before.st_mode)) throw NotFoundError(path, "is not a regular file");
  Bytes bytes(static_cast<std::size_t>(before.st_size));
  read_fully(file, path, bytes);
  const struct stat after = status_of(file, path);
  const bool same_time = before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
                         before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
  if (before.st_size != after.st_size || !same_time ||
      bytes.size() != static_cast<std::size_t>(before.st_size)) {
    throw FormatError({path}, "the file changed while it was read",
                      "wait until it is complete and try again");
  }
  return bytes;
}

std::filesystem::path previous_generation(const std::filesystem::path& path) {
  return path.string() + ".1";
}

ReadOutcome read_file_or_previous(
    const std::filesystem::path& path,
    const std::function<void(const Bytes&, const std::filesystem::path&)>& load) {
  try {
    load(read_file(path), path);
    return {path, {}};
  } catch (const FormatError& error) {
    const auto previous = previous_generation(path);
    if (!std::filesystem::exists(previous)) throw;
    try {
      load(read_file(previous), previous);
    } catch (const Error&) {
      throw error;
    }
    return {previous, std::string(error.what()) + "; the older file " + previous.string() +
                          " is used instead"};
  }
}

void make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  // A file in the way gives "not a directory" for some library versions and no error for others.
  if (!error && !std::filesystem::is_directory(path)) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    throw WriteError(WriteError::Kind::cannot_create, path,
                     "the folder cannot be created: " + error.message());
  }
}

std::filesystem::path user_cache() {
  // The XDG base directory specification: a relative path is to be ignored.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && cache[0] == '/') {
    return std::filesystem::path(cache) / "milgrad";
  }
  if (const char* home = std::getenv("HOME"); home && home[0] == '/') {
    return std::filesystem::path(home) / ".cache" / "milgrad";
  }
  throw NotFoundError("~/.cache/milgrad",
                      "neither XDG_CACHE_HOME nor HOME names a folder; expected an absolute path",
                      "set HOME, or give the folder of the data");
}

}  // namespace milgrad::io
