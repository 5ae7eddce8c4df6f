// The test binary's main: doctest with test cases that can be skipped at run time with a reason,
// listings such as --list-ops, and a last line `N passed, N failed, N skipped` of test cases.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/support.h"

#include <iostream>

#include <doctest/doctest.h>

namespace {

struct Counts {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
};

Counts counts;

/// doctest's console output, except that a skip is not a failure and the summary counts it apart.
class SkippingReporter : public doctest::ConsoleReporter {
 public:
  using ConsoleReporter::ConsoleReporter;

  void test_case_start(const doctest::TestCaseData& data) override {
    name_ = data.m_name;
    skipped_ = false;
    threw_ = false;
    ConsoleReporter::test_case_start(data);
  }

  void test_case_exception(const doctest::TestCaseException& exception) override {
    // A throw inside a subcase arrives twice, so the reason stays pending until the run ends.
    if (milgrad::test::skip_reason()) return;
    threw_ = true;
    ConsoleReporter::test_case_exception(exception);
  }

  void test_case_reenter(const doctest::TestCaseData& data) override {
    settle_skip();
    ConsoleReporter::test_case_reenter(data);
  }

  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    settle_skip();
    constexpr int kException = doctest::TestCaseFailureReason::Exception;
    if (skipped_ && !threw_ && (stats.failure_flags & ~kException) == 0) {
      ++counts.skipped;
      return;
    }
    ++(stats.testCaseSuccess ? counts.passed : counts.failed);
    ConsoleReporter::test_case_end(stats);
  }

  void test_run_end(const doctest::TestRunStats&) override {
    s << counts.passed << " passed, " << counts.failed << " failed, " << counts.skipped
      << " skipped" << std::endl;
  }

 private:
  void settle_skip() {
    auto& reason = milgrad::test::skip_reason();
    if (!reason) return;
    s << "SKIP " << name_ << ": " << *reason << std::endl;
    reason.reset();
    skipped_ = true;
  }

  std::string name_;
  bool skipped_ = false;
  bool threw_ = false;
};

DOCTEST_REGISTER_REPORTER("milgrad", 1, SkippingReporter);

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && milgrad::test::print_listing(argv[1], std::cout)) return 0;
  const std::string flag = argc > 1 ? argv[1] : "";
  if (flag.rfind("--list-", 0) == 0 && flag.rfind("--list-test-", 0) != 0) {
    std::cerr << "no file declares the listing " << flag << '\n';
    return 2;
  }
  doctest::Context context;
  context.setOption("reporters", "milgrad");
  context.setOption("no-intro", true);
  context.applyCommandLine(argc, argv);
  const int status = context.run();
  if (context.shouldExit()) return status;
  if (counts.passed + counts.failed + counts.skipped == 0) {
    std::cerr << "no test case fits the filters\n";
    return 1;
  }
  return counts.failed > 0 ? 1 : 0;
}
