// The file writer: whatever fails, and whenever the process dies, the old file or the new one
// stands complete and no temporary file is left by a writer that lived.
#include "nn/io/file.h"
#include "tensor/error.h"
#include "tests/support.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using milgrad::FormatError;
using milgrad::NotFoundError;
using milgrad::WriteError;
using milgrad::io::Bytes;
using milgrad::io::FileSystem;
using milgrad::io::read_file;
using milgrad::io::write_file;
using milgrad::test::TemporaryDirectory;

std::string text_of(const std::filesystem::path& path) { return milgrad::test::read_file(path); }

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Makes the call number `fail_at` fail with `error`, once or from then on.
class FailingSystem : public FileSystem {
 public:
  FailingSystem(int fail_at, int error, bool lasting)
      : fail_at_(fail_at), error_(error), lasting_(lasting) {}

  int open(const char* path, int flags, mode_t mode) override {
    return fails("open") ? -1 : FileSystem::open(path, flags, mode);
  }
  ssize_t write(int file, const void* bytes, std::size_t count) override {
    // Short writes, so that each write_file makes several.
    return fails("write") ? -1 : FileSystem::write(file, bytes, std::min<std::size_t>(count, 3));
  }
  int fsync(int file) override { return fails("fsync") ? -1 : FileSystem::fsync(file); }
  int close(int file) override {
    const bool failing = fails("close");
    const int result = FileSystem::close(file);
    if (failing) errno = error_;
    return failing ? -1 : result;
  }
  int rename(const char* from, const char* to) override {
    return fails("rename") ? -1 : FileSystem::rename(from, to);
  }
  int link(const char* from, const char* to) override {
    return fails("link") ? -1 : FileSystem::link(from, to);
  }
  int unlink(const char* path) override { return fails("unlink") ? -1 : FileSystem::unlink(path); }

  bool reached() const { return calls_ >= fail_at_; }
  const std::string& failed_call() const { return failed_call_; }

 private:
  bool fails(const char* call) {
    ++calls_;
    const bool failing = calls_ == fail_at_ || (lasting_ && calls_ > fail_at_);
    if (failing && calls_ == fail_at_) failed_call_ = call;
    if (failing) errno = error_;
    return failing;
  }

  int fail_at_;
  int error_;
  bool lasting_;
  int calls_ = 0;
  std::string failed_call_;
};

const std::string kOldest = "oldest";
const std::string kOld = "old content";
const std::string kNew = "the new content";

// Writes over an older file while call number `fail_at` fails; false once no call was left to fail.
bool write_while_failing(int fail_at, int error, bool lasting) {
  const TemporaryDirectory folder;
  const auto path = folder / "best.weights.h5";
  write_file(path, kOldest);
  write_file(path, kOld, {.keep_previous = true});
  FailingSystem system(fail_at, error, lasting);
  bool thrown = false;
  try {
    write_file(path, kNew, {.keep_previous = true}, system);
  } catch (const WriteError& failure) {
    thrown = true;
    CHECK(std::string(failure.what()).find(path.string()) == 0);
  }
  CAPTURE(fail_at);
  CAPTURE(system.failed_call());
  CAPTURE(error);
  const std::string now = text_of(path);
  CHECK((now == kOld || now == kNew));
  if (!thrown) CHECK(now == kNew);
  const std::string before = text_of(path.string() + ".1");
  CHECK((before == kOldest || before == kOld));
  if (now == kNew) CHECK(before == kOld);
  // Where unlink itself fails, nothing can remove the file.
  if (!lasting && system.failed_call() != "unlink") {
    CHECK(names_in(folder.path()) ==
          std::vector<std::string>{"best.weights.h5", "best.weights.h5.1"});
  }
  return system.reached();
}

struct FileSizeLimit {
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit limit = before;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before); }
  rlimit before{};
};

constexpr std::size_t kSavedSize = 200000;

[[noreturn]] void save_for_ever(const std::filesystem::path& path) {
  for (char letter = 'a';; letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1)) {
    write_file(path, std::string(kSavedSize, letter), {.keep_previous = true});
  }
}

bool is_one_whole_save(const std::filesystem::path& path) {
  const std::string text = text_of(path);
  return text == std::string(kSavedSize, text.empty() ? '?' : text[0]);
}

}  // namespace

TEST_CASE("io file: a written file is read back and replaced") {
  const TemporaryDirectory folder;
  const auto path = folder / "a.txt";
  write_file(path, "one");
  CHECK(text_of(path) == "one");
  write_file(path, Bytes{'t', 'w', 'o'});
  CHECK(read_file(path) == Bytes{'t', 'w', 'o'});
  write_file(path, "");
  CHECK(read_file(path).empty());
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a.txt"});
}

TEST_CASE("io file: one older generation is kept") {
  const TemporaryDirectory folder;
  const auto path = folder / "w.h5";
  for (const char* text : {"1", "2", "3"}) write_file(path, text, {.keep_previous = true});
  CHECK(text_of(path) == "3");
  CHECK(text_of(folder / "w.h5.1") == "2");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"w.h5", "w.h5.1"});
}

TEST_CASE("io file: the older generation is kept where the file system has no hard links") {
  class NoLinks : public FileSystem {
    int link(const char*, const char*) override {
      errno = EPERM;
      return -1;
    }
  } system;
  const TemporaryDirectory folder;
  const auto path = folder / "w.h5";
  for (const char* text : {"1", "2", "3"}) {
    write_file(path, text, {.keep_previous = true}, system);
  }
  CHECK(text_of(path) == "3");
  CHECK(text_of(folder / "w.h5.1") == "2");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"w.h5", "w.h5.1"});
}

TEST_CASE("io file: a symbolic link is followed, not replaced") {
  const TemporaryDirectory folder;
  write_file(folder / "real.txt", "old");
  std::filesystem::create_symlink("real.txt", folder / "link.txt");
  write_file(folder / "link.txt", "new");
  CHECK(std::filesystem::is_symlink(folder / "link.txt"));
  CHECK(text_of(folder / "real.txt") == "new");
}

TEST_CASE("io file: a relative path without a folder is written to the current one") {
  const TemporaryDirectory folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file("plain.txt", "here");
  std::filesystem::current_path(before);
  CHECK(text_of(folder / "plain.txt") == "here");
}

TEST_CASE("io file: every call fails once, old or new stays") {
  for (const int error : {EIO, ENOSPC, EACCES}) {
    for (const bool lasting : {false, true}) {
      int fail_at = 1;
      while (write_while_failing(fail_at, error, lasting)) ++fail_at;
      CHECK(fail_at > 15);
    }
  }
}

TEST_CASE("io file: interrupted calls are repeated") {
  class Interrupted : public FileSystem {
   public:
    int open(const char* path, int flags, mode_t mode) override {
      return interrupts() ? -1 : FileSystem::open(path, flags, mode);
    }
    ssize_t write(int file, const void* bytes, std::size_t count) override {
      return interrupts() ? -1 : FileSystem::write(file, bytes, std::min<std::size_t>(count, 2));
    }
    int fsync(int file) override { return interrupts() ? -1 : FileSystem::fsync(file); }
    int interruptions = 0;

   private:
    bool interrupts() {
      again_ = !again_;
      interruptions += again_ ? 1 : 0;
      errno = EINTR;
      return again_;
    }
    bool again_ = false;
  } system;
  const TemporaryDirectory folder;
  write_file(folder / "a", "interrupted", {}, system);
  CHECK(text_of(folder / "a") == "interrupted");
  CHECK(system.interruptions >= 9);
}

TEST_CASE("io file: a stale temporary file of the same process number is passed over") {
  const TemporaryDirectory folder;
  const std::string stale = fmt::format("a.tmp.{}", getpid());
  milgrad::test::write_file(folder / stale, "stale");
  write_file(folder / "a", "fresh");
  CHECK(text_of(folder / "a") == "fresh");
  CHECK(text_of(folder / stale) == "stale");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a", stale});
}

TEST_CASE("io file: what cannot be created is said") {
  const TemporaryDirectory folder;
  const auto missing = folder / "absent" / "a.txt";
  try {
    write_file(missing, "x");
    FAIL("expected WriteError");
  } catch (const WriteError& error) {
    CHECK(error.what() == missing.string() + ": cannot be created: No such file or directory");
    CHECK(error.hint() == "create the folder " + missing.parent_path().string() + " first");
    CHECK(error.kind() == WriteError::Kind::cannot_create);
  }
  CHECK_THROWS_WITH_AS(
      write_file(folder.path(), "x"),
      (folder.path().string() + ": is a folder; expected the name of a file").c_str(), WriteError);
  CHECK_THROWS_WITH_AS(write_file("/dev/null", "x"),
                       "/dev/null: is not a regular file; it is not replaced", WriteError);
}

TEST_CASE("io file: a full disk and a failing disk are said") {
  const TemporaryDirectory folder;
  const auto path = folder / "a";
  FailingSystem full(3, ENOSPC, false);
  try {
    write_file(path, "0123456789", {}, full);
    FAIL("expected WriteError");
  } catch (const WriteError& error) {
    CHECK(error.what() ==
          path.string() + ": cannot write 10 bytes (3 were written): No space left on device");
    CHECK(error.hint() == "free space on the disk, or write elsewhere");
    CHECK(error.kind() == WriteError::Kind::io_error);
  }
  FailingSystem failing(4, EIO, false);
  CHECK_THROWS_WITH_AS(
      write_file(path, "012345", {}, failing),
      (path.string() + ": cannot be synced to the disk: Input/output error").c_str(), WriteError);
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("io file: a size limit is an error, not a signal") {
  const TemporaryDirectory folder;
  const auto path = folder / "a";
  write_file(path, "old");
  std::string message;
  std::string hint;
  {
    const FileSizeLimit limit(4096);
    try {
      write_file(path, std::string(10000, 'x'));
    } catch (const WriteError& error) {
      message = error.what();
      hint = error.hint();
    }
  }
  CHECK(message ==
        path.string() + ": cannot write 10000 bytes (4096 were written): File too large");
  CHECK(hint == "raise the file size limit (ulimit -f), or write elsewhere");
  CHECK(text_of(path) == "old");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("io file: kill -9 at any moment of a save loop leaves whole files") {
  const TemporaryDirectory folder;
  const auto path = folder / "best.weights.h5";
  write_file(path, std::string(kSavedSize, 'A'));
  std::mt19937 random(7);
  std::uniform_int_distribution<int> moment(0, 30000);
  for (int trial = 0; trial < 50; ++trial) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) save_for_ever(path);
    std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(is_one_whole_save(path));
    if (std::filesystem::exists(folder / "best.weights.h5.1")) {
      CHECK(is_one_whole_save(folder / "best.weights.h5.1"));
    }
  }
  // Some of the saves came to their end.
  CHECK(text_of(path) != std::string(kSavedSize, 'A'));
  // The next save works beside whatever the killed ones left.
  write_file(path, "complete", {.keep_previous = true});
  CHECK(text_of(path) == "complete");
  CHECK(is_one_whole_save(folder / "best.weights.h5.1"));
}

TEST_CASE("io file: what cannot be read is said") {
  const TemporaryDirectory folder;
  const std::string absent = (folder / "absent").string();
  CHECK_THROWS_WITH_AS(read_file(absent), (absent + ": no such file").c_str(), NotFoundError);
  CHECK_THROWS_WITH_AS(read_file(folder.path()),
                       (folder.path().string() + ": is a folder; expected a file").c_str(),
                       NotFoundError);
  CHECK_THROWS_WITH_AS(read_file("/dev/null"), "/dev/null: is not a regular file", NotFoundError);
  const auto below_file = folder / "file" / "x";
  write_file(folder / "file", "1");
  CHECK_THROWS_WITH_AS(read_file(below_file),
                       (below_file.string() + ": cannot be opened: Not a directory").c_str(),
                       NotFoundError);
}

TEST_CASE("io file: a broken file falls back to its older generation and says so") {
  const TemporaryDirectory folder;
  const auto path = folder / "w";
  std::string loaded;
  const auto load = [&loaded](const Bytes& bytes, const std::filesystem::path& from) {
    const std::string text(bytes.begin(), bytes.end());
    if (text.starts_with("broken")) throw FormatError({from}, text);
    loaded = text;
  };
  write_file(path, "good");
  CHECK(milgrad::io::read_file_or_previous(path, load).note.empty());
  write_file(path, "broken now", {.keep_previous = true});
  const auto outcome = milgrad::io::read_file_or_previous(path, load);
  CHECK(loaded == "good");
  CHECK(outcome.path == path.string() + ".1");
  CHECK(outcome.note ==
        path.string() + ": broken now; the older file " + path.string() + ".1 is used instead");
  write_file(path.string() + ".1", "broken too");
  CHECK_THROWS_WITH_AS(milgrad::io::read_file_or_previous(path, load),
                       (path.string() + ": broken now").c_str(), FormatError);
  std::filesystem::remove(path.string() + ".1");
  CHECK_THROWS_WITH_AS(milgrad::io::read_file_or_previous(path, load),
                       (path.string() + ": broken now").c_str(), FormatError);
}

TEST_CASE("io file: folders are made with their parents") {
  const TemporaryDirectory folder;
  milgrad::io::make_directories(folder / "a" / "b");
  milgrad::io::make_directories(folder / "a" / "b");
  CHECK(std::filesystem::is_directory(folder / "a" / "b"));
  write_file(folder / "file", "x");
  const auto blocked = folder / "file" / "c";
  CHECK_THROWS_WITH_AS(
      milgrad::io::make_directories(blocked),
      (blocked.string() + ": the folder cannot be created: Not a directory").c_str(), WriteError);
  CHECK_THROWS_AS(milgrad::io::make_directories(folder / "file"), WriteError);
}
