// Skipping, test data, temporary folders, child programs and listings for the tests.
#include "tests/support.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace milgrad::test {
namespace {

namespace fs = std::filesystem;

struct Skipped {};

std::map<std::string, std::function<void(std::ostream&)>>& listings() {
  static std::map<std::string, std::function<void(std::ostream&)>> all;
  return all;
}

void require_zero(int error, const std::string& what) {
  if (error != 0) throw std::runtime_error(what + ": " + std::strerror(error));
}

int memory_file(const char* name) {
  const int file = memfd_create(name, MFD_CLOEXEC);
  if (file < 0) throw std::runtime_error(std::string("memfd_create: ") + std::strerror(errno));
  return file;
}

std::string content(int file) {
  struct stat status {};
  if (fstat(file, &status) != 0) return {};
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t count = pread(file, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

std::vector<std::string> merged_environment(const ProcessOptions& options) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : options.environment) {
    if (value) {
      all[name] = *value;
    } else {
      all.erase(name);
    }
  }
  std::vector<std::string> entries;
  for (const auto& [name, value] : all) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// posix_spawn's file actions and attributes, released at the end of the scope.
struct SpawnSetup {
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

void skip(const std::string& reason) {
  skip_reason() = reason;
  throw Skipped{};
}

std::optional<std::string>& skip_reason() {
  static std::optional<std::string> reason;
  return reason;
}

std::optional<fs::path> data_dir() {
  const char* folder = std::getenv("MILGRAD_TEST_DATA");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return fs::path(folder);
}

fs::path data_or_skip(const fs::path& relative) {
  const auto folder = data_dir();
  if (!folder) skip("MILGRAD_TEST_DATA is not set; it names the folder with " + relative.string());
  const fs::path path = *folder / relative;
  if (!fs::exists(path)) skip(path.string() + " does not exist");
  return path;
}

fs::path program(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!file || !(bytes << file.rdbuf() || fs::file_size(path) == 0)) {
    throw std::runtime_error("cannot read " + path.string());
  }
  return bytes.str();
}

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = fs::temp_directory_path() / "milgrad-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("mkdtemp " + name + ": " + std::strerror(errno));
  }
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Process::Process(const std::vector<std::string>& command, const ProcessOptions& options)
    : name_(command.at(0)), out_(memory_file("stdout")), err_(memory_file("stderr")) {
  SpawnSetup setup;
  posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&setup.actions, out_, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&setup.actions, err_, STDERR_FILENO);
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&setup.actions, options.directory.c_str());
  }
  // Its own process group, so that a timeout also ends what the program itself started.
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETPGROUP);
  auto arguments = command;
  auto environment = merged_environment(options);
  require_zero(posix_spawnp(&pid_, name_.c_str(), &setup.actions, &setup.attributes,
                            pointers(arguments).data(), pointers(environment).data()),
               "cannot start " + name_);
}

Process::~Process() {
  if (!exit_code_) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(out_);
  close(err_);
}

void Process::send(int signal) {
  if (!poll_end()) kill(pid_, signal);
}

bool Process::poll_end() {
  if (exit_code_) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return true;
}

void Process::poll_until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) {
      kill(-pid_, SIGKILL);
      throw std::runtime_error(name_ + " did not get there within " +
                               std::to_string(timeout.count()) + " ms; standard output:\n" +
                               content(out_) + "\nstandard error:\n" + content(err_));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void Process::wait_for_output(std::string_view text, std::chrono::milliseconds timeout) {
  bool ended = false;
  const auto holds = [&] { return content(out_).find(text) != std::string::npos; };
  poll_until([&] { return holds() || (ended = poll_end()); }, timeout);
  if (ended && !holds()) {
    throw std::runtime_error(name_ + " ended without printing '" + std::string(text) +
                             "'; standard error:\n" + content(err_));
  }
}

Outcome Process::wait(std::chrono::milliseconds timeout) {
  poll_until([&] { return poll_end(); }, timeout);
  return {*exit_code_, content(out_), content(err_)};
}

Outcome run(const std::vector<std::string>& command, const ProcessOptions& options,
            std::chrono::milliseconds timeout) {
  return Process(command, options).wait(timeout);
}

Listing::Listing(std::string flag, std::function<void(std::ostream&)> print) {
  listings().insert_or_assign(std::move(flag), std::move(print));
}

bool print_listing(const std::string& flag, std::ostream& out) {
  const auto found = listings().find(flag);
  if (found == listings().end()) return false;
  found->second(out);
  return true;
}

}  // namespace milgrad::test
