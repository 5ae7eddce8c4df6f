"""Runs the unittest files `*_test.py` of a folder; the last line is `N passed, N failed, N skipped`."""

import sys
import unittest
from pathlib import Path


class CountingResult(unittest.TextTestResult):
    """Also keeps how many tests passed; a skip prints its reason in the project's form."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"SKIP {test.id()}: {reason}")


def main(folder):
    sys.path.insert(0, str(Path(folder).resolve()))
    suite = unittest.defaultTestLoader.discover(folder, pattern="*_test.py")
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=CountingResult).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    if result.testsRun == 0:
        sys.exit(f"no tests in {folder}")
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: run_python_tests.py FOLDER")
    sys.exit(main(sys.argv[1]))
