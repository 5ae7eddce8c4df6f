// The writer: temporary file, fsync, rename, fsync of the folder; file.h says what it promises.
#include "nn/io/file.h"
#include "tensor/error.h"

#include <cerrno>
#include <ctime>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace milgrad::io {

namespace {

// Stale temporary files of killed processes that had our process number are passed over.
constexpr int kTemporaryNames = 100;

// Beyond RLIMIT_FSIZE a write sends SIGXFSZ, which ends a process by default. While this lives the
// signal is blocked in this thread, so that write() fails with EFBIG instead.
class SizeLimitSignal {
 public:
  SizeLimitSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGXFSZ);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~SizeLimitSignal() {
    const timespec now{};
    if (!was_pending_) {
      while (sigtimedwait(&signals_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SizeLimitSignal(const SizeLimitSignal&) = delete;
  SizeLimitSignal& operator=(const SizeLimitSignal&) = delete;

 private:
  sigset_t signals_;
  sigset_t before_;
  bool was_pending_ = false;
};

[[noreturn]] void fail(int error, const std::filesystem::path& path, const std::string& what) {
  const bool refused = error == EACCES || error == EPERM || error == EROFS || error == ENOENT ||
                       error == ENOTDIR || error == EISDIR || error == ENAMETOOLONG ||
                       error == ELOOP;
  const auto kind = refused ? WriteError::Kind::cannot_create : WriteError::Kind::io_error;
  std::string hint;
  if (error == ENOENT) hint = "create the folder " + path.parent_path().string() + " first";
  if (error == ENOSPC || error == EDQUOT) hint = "free space on the disk, or write elsewhere";
  if (error == EFBIG) hint = "raise the file size limit (ulimit -f), or write elsewhere";
  throw WriteError(kind, path, what + ": " + std::generic_category().message(error), hint);
}

// One file being written under a temporary name; removed again unless it was renamed into place.
class TemporaryFile {
 public:
  TemporaryFile(const std::filesystem::path& target, FileSystem& system)
      : target_(target), system_(system) {
    const std::string stem = fmt::format("{}.tmp.{}", target.string(), ::getpid());
    for (int attempt = 0; attempt < kTemporaryNames; ++attempt) {
      name_ = attempt == 0 ? stem : fmt::format("{}.{}", stem, attempt);
      file_ = system.open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file_ >= 0) return;
      if (errno == EINTR) --attempt;
      if (errno != EEXIST && errno != EINTR) break;
    }
    fail(errno, target, "cannot be created");
  }
  ~TemporaryFile() {
    if (file_ >= 0) system_.close(file_);
    if (!renamed_) system_.unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::span<const std::uint8_t> bytes) {
    const SizeLimitSignal blocked;
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = system_.write(file_, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        const int error = count == 0 ? EIO : errno;
        fail(error, target_,
             fmt::format("cannot write {} bytes ({} were written)", bytes.size(), done));
      }
      done += static_cast<std::size_t>(count);
    }
  }

  void sync_and_close() {
    while (system_.fsync(file_) != 0) {
      if (errno != EINTR) fail(errno, target_, "cannot be synced to the disk");
    }
    const int file = file_;
    file_ = -1;
    // Linux has released the descriptor even where close reports EINTR.
    if (system_.close(file) != 0 && errno != EINTR) fail(errno, target_, "cannot be closed");
  }

  void rename_into_place() {
    if (system_.rename(name_.c_str(), target_.c_str()) != 0) {
      fail(errno, target_, "cannot be put in place of the old file");
    }
    renamed_ = true;
  }

 private:
  std::filesystem::path target_;
  FileSystem& system_;
  std::string name_;
  int file_ = -1;
  bool renamed_ = false;
};

void sync_folder(const std::filesystem::path& path, FileSystem& system) {
  const auto parent = path.parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  int file = -1;
  while ((file = system.open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) < 0) {
    if (errno != EINTR) fail(errno, path, "its folder cannot be opened to sync it");
  }
  int error = 0;
  while (system.fsync(file) != 0) {
    error = errno;
    if (error != EINTR) break;
    error = 0;
  }
  system.close(file);
  // Some file systems cannot sync folders; their renames are as durable as they get.
  if (error != 0 && error != EINVAL && error != ENOTSUP) {
    fail(error, path, "its folder cannot be synced to the disk");
  }
}

void replace_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes,
                  FileSystem& system) {
  TemporaryFile temporary(path, system);
  temporary.write(bytes);
  temporary.sync_and_close();
  temporary.rename_into_place();
}

// PATH stays where it is; PATH.1 becomes a second name of it, in one rename.
void keep_as_previous(const std::filesystem::path& path, FileSystem& system) {
  const auto previous = previous_generation(path);
  const std::string name = fmt::format("{}.tmp.{}", previous.string(), ::getpid());
  system.unlink(name.c_str());
  if (system.link(path.c_str(), name.c_str()) != 0) {
    if (errno != EPERM && errno != ENOTSUP && errno != EMLINK && errno != ENOSYS) {
      fail(errno, previous, "cannot be created");
    }
    replace_file(previous, read_file(path), system);
    return;
  }
  const int error = system.rename(name.c_str(), previous.c_str()) == 0 ? 0 : errno;
  // Where both already name the same file, rename() succeeds and leaves the first name standing.
  system.unlink(name.c_str());
  if (error != 0) fail(error, previous, "cannot be put in place of the old file");
}

std::filesystem::path resolve(const std::filesystem::path& path) {
  if (path.empty())
    throw WriteError(WriteError::Kind::cannot_create, path,
                     "an empty path; expected the name of a file");
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  const bool exists = std::filesystem::exists(status);
  if (exists && !std::filesystem::is_regular_file(status)) {
    throw WriteError(WriteError::Kind::cannot_create, path,
                     std::filesystem::is_directory(status)
                         ? "is a folder; expected the name of a file"
                         : "is not a regular file; it is not replaced");
  }
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) return path;
  const auto target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target;
}

}  // namespace

void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes,
                const WriteOptions& options, FileSystem& system) {
  const auto target = resolve(path);
  TemporaryFile temporary(target, system);
  temporary.write(bytes);
  temporary.sync_and_close();
  // Only a complete new file may push the old one down a generation.
  if (options.keep_previous && std::filesystem::exists(target)) keep_as_previous(target, system);
  temporary.rename_into_place();
  sync_folder(target, system);
}

void write_file(const std::filesystem::path& path, std::string_view text,
                const WriteOptions& options, FileSystem& system) {
  write_file(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()),
             options, system);
}

}  // namespace milgrad::io
