// What the test files share: skipping with a reason, test data, temporary folders, child programs,
// and the listings (`--list-...`) that the test binary prints.
#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace milgrad::test {

/// Ends the current test case as skipped: printed as "SKIP name: reason", counted neither as passed
/// nor as failed (unless an assertion before it failed). To be called on the test's own thread.
[[noreturn]] void skip(const std::string& reason);

/// The folder named by MILGRAD_TEST_DATA (real data, not part of the repository); empty if unset.
std::optional<std::filesystem::path> data_dir();

/// data_dir() / relative, such as data_or_skip("mnist"); skips where it does not exist.
std::filesystem::path data_or_skip(const std::filesystem::path& relative);

/// A program of the same build folder, such as program("mil").
std::filesystem::path program(const std::string& name);

/// The bytes of a file; throws std::runtime_error where it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes the bytes to a file, replacing it; throws std::runtime_error where that fails.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// A fresh, empty folder that is removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& relative) const {
    return path_ / relative;
  }

 private:
  std::filesystem::path path_;
};

/// How a child program ended: its exit status (128 + n where signal n ended it) and what it wrote.
struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
};

struct ProcessOptions {
  /// Set over the inherited environment; a variable without a value is removed.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment = {};
  /// Working folder; the current one if empty.
  std::filesystem::path directory = {};
};

/// A running child program. Its standard input is empty; its outputs are kept in memory.
class Process {
 public:
  /// command[0] is looked up in PATH. Throws std::runtime_error where it cannot be started.
  explicit Process(const std::vector<std::string>& command, const ProcessOptions& options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal);
  /// Blocks until standard output holds the text; throws where it ends or stays silent instead.
  void wait_for_output(std::string_view text,
                       std::chrono::milliseconds timeout = std::chrono::seconds(60));
  /// Blocks until the program ends; past the timeout it is killed and std::runtime_error thrown.
  Outcome wait(std::chrono::milliseconds timeout = std::chrono::seconds(120));

 private:
  bool poll_end();
  void poll_until(const std::function<bool()>& done, std::chrono::milliseconds timeout);

  std::string name_;
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::optional<int> exit_code_;
};

/// Starts the command and waits for its end.
Outcome run(const std::vector<std::string>& command, const ProcessOptions& options = {},
            std::chrono::milliseconds timeout = std::chrono::seconds(120));

/// A flag such as "--list-ops" that prints something and ends instead of running tests. Declared at
/// namespace scope by the file that knows what to print.
class Listing {
 public:
  Listing(std::string flag, std::function<void(std::ostream&)> print);
};

/// Prints the listing of that flag; false where no file declares it.
bool print_listing(const std::string& flag, std::ostream& out);

/// The reason of a skip() on its way to the runner in main.cpp, which resets it.
std::optional<std::string>& skip_reason();

}  // namespace milgrad::test
