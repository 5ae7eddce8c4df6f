// One test case per operation, made from ops.def, so that one failure hides no other operation.
#include "tests/registry/op_suite.h"
#include "tests/support.h"

#include <doctest/doctest.h>

namespace {

using milgrad::Op;

void check(Op op, const char* row) {
  CHECK(milgrad::name_of(op) == std::string(row));
  for (const std::string& failure : milgrad::test::check_op(op)) FAIL_CHECK(failure);
}

const milgrad::test::Listing list_ops("--list-ops", [](std::ostream& out) {
  for (int i = 0; i < milgrad::kOpCount; ++i) {
    const milgrad::OpDef& def = milgrad::definition(static_cast<Op>(i));
    out << def.name.value << '\n';
  }
});

}  // namespace

#define OP(name) \
  TEST_CASE("op: " #name) { check(Op::name, #name); }
#include "tensor/ops.def"
#undef OP
