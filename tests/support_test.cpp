// The test support itself: skipping and counting, child programs, temporary folders.
#include "tests/support.h"

#include <stdexcept>

#include <doctest/doctest.h>

namespace {

using milgrad::test::Process;
using milgrad::test::run;
using milgrad::test::TemporaryDirectory;

// What the next test runs in a child of its own; skipped by default through the filter there.
TEST_SUITE("fixture" * doctest::skip()) {
  TEST_CASE("fixture: passes") { CHECK(1 + 1 == 2); }
  TEST_CASE("fixture: fails") { CHECK(1 + 1 == 3); }
  TEST_CASE("fixture: throws") { throw std::runtime_error("thrown on purpose"); }
  TEST_CASE("fixture: skips") { milgrad::test::skip("on purpose"); }
  TEST_CASE("fixture: skips in a subcase") {
    SUBCASE("first") { milgrad::test::skip("one part"); }
    SUBCASE("second") { CHECK(true); }
  }
  TEST_CASE("fixture: fails, then skips") {
    CHECK(1 + 1 == 3);
    milgrad::test::skip("too late");
  }
}

milgrad::test::Outcome run_fixture(const std::string& filter) {
  return run({milgrad::test::program("milgrad_tests"), "--no-skip", "--test-case=" + filter});
}

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  const auto start = text.find_last_of('\n', end);
  return text.substr(start + 1, end - start);
}

TEST_CASE("support: test cases are counted once, skipped ones apart") {
  const auto outcome = run_fixture("fixture:*");
  CHECK(outcome.exit_code == 1);
  CHECK(last_line(outcome.out) == "1 passed, 3 failed, 2 skipped");
  CHECK(outcome.out.find("SKIP fixture: skips: on purpose\n") != std::string::npos);
  CHECK(outcome.out.find("thrown on purpose") != std::string::npos);
}

TEST_CASE("support: a skip alone is a success, no test at all is a failure") {
  const auto skipped = run_fixture("fixture: skips*");
  CHECK(skipped.exit_code == 0);
  CHECK(skipped.out ==
        "SKIP fixture: skips: on purpose\n"
        "SKIP fixture: skips in a subcase: one part\n"
        "0 passed, 0 failed, 2 skipped\n");
  CHECK(run_fixture("no such test").exit_code == 1);
}

TEST_CASE("support: run returns the exit code and both outputs") {
  const auto outcome = run({"sh", "-c", "echo out; echo err >&2; exit 7"});
  CHECK(outcome.exit_code == 7);
  CHECK(outcome.out == "out\n");
  CHECK(outcome.err == "err\n");
  CHECK_THROWS_AS(run({"milgrad-no-such-program"}), std::runtime_error);
}

TEST_CASE("support: run sets and removes variables and changes the folder") {
  const TemporaryDirectory folder;
  const auto outcome = run(
      {"sh", "-c", "echo \"$MILGRAD_A,${HOME-unset}\"; pwd"},
      {.environment = {{"MILGRAD_A", "1"}, {"HOME", std::nullopt}}, .directory = folder.path()});
  CHECK(outcome.out == "1,unset\n" + folder.path().string() + "\n");
}

TEST_CASE("support: a child is signalled, and killed past its time") {
  Process sleeper({"sh", "-c", "echo ready; sleep 60"});
  sleeper.wait_for_output("ready");
  sleeper.send(SIGTERM);
  CHECK(sleeper.wait().exit_code == 128 + SIGTERM);
  CHECK_THROWS_AS(run({"sleep", "60"}, {}, std::chrono::milliseconds(20)), std::runtime_error);
}

TEST_CASE("support: a temporary folder goes with its content") {
  std::filesystem::path path;
  {
    const TemporaryDirectory folder;
    path = folder.path();
    milgrad::test::write_file(folder / "a", "bytes");
    CHECK(milgrad::test::read_file(folder / "a") == "bytes");
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

const milgrad::test::Listing listing("--list-fixture",
                                     [](std::ostream& out) { out << "listed\n"; });

TEST_CASE("support: a listing prints instead of testing") {
  CHECK(run({milgrad::test::program("milgrad_tests"), "--list-fixture"}).out == "listed\n");
  CHECK(run({milgrad::test::program("milgrad_tests"), "--list-nothing"}).exit_code == 2);
}

}  // namespace
