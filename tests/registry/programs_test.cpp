// Programs against eager runs: one test case per operation, and random programs.
#include "tests/registry/program_suite.h"
#include "tests/registry/random_programs.h"

#include <doctest/doctest.h>

namespace {

void check(milgrad::Op op) {
  for (const std::string& failure : milgrad::test::check_op_programs(op)) FAIL_CHECK(failure);
}

}  // namespace

#define OP(name) \
  TEST_CASE("program: " #name) { check(milgrad::Op::name); }
#include "tensor/ops.def"
#undef OP

namespace {

using milgrad::test::Subject;

/// `count` subjects of the seeds from `first` on.
void check_random(Subject (*make)(std::uint64_t), std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t seed = first; seed < first + count; ++seed)
    for (const std::string& failure : check_programs(make(seed), milgrad::test::Depth::ends))
      FAIL_CHECK("seed ", seed, ": ", failure);
}

}  // namespace

TEST_CASE("program: random compositions give what they give eagerly") {
  check_random(milgrad::test::random_composition, 1, 600);
}

TEST_CASE("program: random train steps give what they give eagerly") {
  check_random(milgrad::test::random_train_step, 1, 200);
}
