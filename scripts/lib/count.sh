# Runs test programs and adds up the `N passed, N failed, N skipped` in which each of them ends.
# shellcheck shell=bash

passed=0
failed=0
skipped=0

# run_counted NAME COMMAND...: one program. Exit status 77 means skipped (meson's convention); an end
# without a count (a crash, a sanitizer's report) is one failure.
run_counted() {
  local name=$1 log status=0 last
  shift
  say "Testing $name"
  log=$(mktemp)
  "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
  last=$(tail -n 1 "$log")
  rm -f "$log"
  if ((status == 77)); then
    skipped=$((skipped + 1))
  elif [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    skipped=$((skipped + BASH_REMATCH[3]))
    if ((status != 0 && BASH_REMATCH[2] == 0)); then count_failure "$name" "exit status $status"; fi
  else
    count_failure "$name" "ended without a count, exit status $status"
  fi
}

count_failure() {
  printf 'FAIL %s: %s\n' "$1" "$2"
  failed=$((failed + 1))
}

count_skip() {
  printf 'SKIP %s: %s\n' "$1" "$2"
  skipped=$((skipped + 1))
}

# Prints the sum as the last line; the status says whether all is well.
report_counts() {
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  ((failed == 0))
}
