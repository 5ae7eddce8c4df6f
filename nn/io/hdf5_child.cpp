// The child process that reads files whose checksum is not known to be right.
#include "nn/io/hdf5_child.h"

#include "nn/io/hdf5_library.h"
#include "nn/io/hdf5_transfer.h"
#include "tensor/error.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace milgrad::io {

namespace {

// Sound files are read at more than 100 MB/s; a damaged one may loop for ever.
constexpr std::size_t kLeastSeconds = 2;
constexpr std::size_t kBytesPerSecond = std::size_t{20} << 20;
// Beyond the memory of the parent: a floor, and so many times the file.
constexpr std::size_t kLeastMemory = std::size_t{4} << 30;
constexpr std::size_t kMemoryPerByte = 16;

// The first byte of the child's answer.
constexpr char kTree = 'T';
constexpr char kRefusal = 'R';

void limit(int resource, std::size_t value) {
  const rlimit limits{value, value};
  setrlimit(static_cast<__rlimit_resource>(resource), &limits);
}

std::size_t address_space_in_use() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// A crash shall end the child silently: no report, no core file.
void prepare_child(std::size_t file_size) {
  for (const int crash : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU}) {
    std::signal(crash, SIG_DFL);
  }
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, kLeastSeconds + file_size / kBytesPerSecond);
  limit(RLIMIT_AS, address_space_in_use() + kLeastMemory + file_size * kMemoryPerByte);
}

void send(int pipe, const Bytes& answer) {
  std::size_t done = 0;
  while (done < answer.size()) {
    const ssize_t count = ::write(pipe, answer.data() + done, answer.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

Bytes answer_of(const std::function<Hdf5Group()>& parse) {
  try {
    Bytes answer = tree_to_bytes(parse());
    answer.insert(answer.begin(), kTree);
    return answer;
  } catch (const Error& error) {
    const std::string text = error.what() + std::string(1, '\0') + error.hint();
    Bytes answer(text.begin(), text.end());
    answer.insert(answer.begin(), kRefusal);
    return answer;
  }
}

[[noreturn]] void be_the_child(int pipe, std::size_t file_size,
                               const std::function<Hdf5Group()>& parse) {
  prepare_child(file_size);
  int status = 1;
  try {
    send(pipe, answer_of(parse));
    status = 0;
  } catch (...) {
    // Out of memory: the parent reads an empty answer.
  }
  // Nothing of the parent's may be flushed or destroyed here.
  _exit(status);
}

Bytes receive(int pipe) {
  Bytes answer;
  std::array<std::uint8_t, 1 << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return answer;
    answer.insert(answer.end(), buffer.begin(), buffer.begin() + count);
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    // A program that ignores SIGCHLD leaves no status.
    if (errno != EINTR) return 0;
  }
  return status;
}

Hdf5Group result_of(const Bytes& answer, int status, const std::filesystem::path& path) {
  const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (ended_well && !answer.empty() && answer[0] == kTree) {
    return tree_from_bytes(std::span(answer).subspan(1));
  }
  if (ended_well && !answer.empty() && answer[0] == kRefusal) {
    const std::string text(answer.begin() + 1, answer.end());
    const std::size_t end = std::min(text.find('\0'), text.size());
    // The message already begins with the path, which FormatError puts there again.
    const std::string prefix = path.string() + ": ";
    const std::string what = text.substr(0, end);
    throw FormatError({path}, what.starts_with(prefix) ? what.substr(prefix.size()) : what,
                      text.substr(std::min(end + 1, text.size())));
  }
  const bool too_long =
      WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
  throw FormatError({path}, too_long              ? "corrupt (libhdf5 does not come to an end)"
                            : WIFSIGNALED(status) ? "corrupt (libhdf5 crashes on it)"
                                                  : "corrupt (libhdf5 runs out of memory)");
}

}  // namespace

Hdf5Group parse_in_child(std::size_t file_size, const std::filesystem::path& path,
                         const std::function<Hdf5Group()>& parse) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error("[hdf5] no pipe: " + std::generic_category().message(errno));
  }
  pid_t child = -1;
  {
    // Held across fork, so that no other thread's use of libhdf5 is copied half-way.
    const Hdf5Session session;
    child = fork();
    if (child == 0) be_the_child(ends[1], file_size, parse);
  }
  const int fork_error = errno;
  ::close(ends[1]);
  Bytes answer;
  if (child > 0) answer = receive(ends[0]);
  ::close(ends[0]);
  if (child < 0) {
    throw Error("[hdf5] no child process: " + std::generic_category().message(fork_error));
  }
  return result_of(answer, wait_for(child), path);
}

}  // namespace milgrad::io
