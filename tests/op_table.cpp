// The page docs/ops.md, made from the registry.
#include "tensor/op.h"
#include "tests/support.h"

#include <string>

namespace milgrad::test {
namespace {

constexpr const char* kIntroduction = R"(# Operations

Every operation of the registry `tensor/ops.def`, in its order. The functions that call them, with
shapes, axes and errors, are declared in `tensor/ops.h`; functions there that are not below, such as
`mean` and `norm`, are composed of these. The dtypes are those of the first input (of the result, if
there is no input): *floating* is float32 and float64, *signed* also int32 and int64, *numeric* also
uint8, *any* also bool.

Written by `build/milgrad_tests --list-op-table > docs/ops.md`; a test compares it with the registry.

| operation | what it computes | dtypes | gradient |
| --- | --- | --- | --- |
)";

/// The text in a cell of a Markdown table.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '*' || c == '_') result += '\\';
    result += c;
  }
  return result;
}

std::string dtypes_text(DTypes dtypes) {
  if (dtypes == kFloating) return "floating";
  if (dtypes == kSigned) return "signed";
  if (dtypes == kNumeric) return "numeric";
  if (dtypes == kAnyDType) return "any";
  return to_string(dtypes);
}

const Listing list_op_table("--list-op-table", [](std::ostream& out) {
  out << kIntroduction;
  for (int i = 0; i < kOpCount; ++i) {
    const OpDef& def = definition(static_cast<Op>(i));
    const char* why_not = def.vjp.value.why_not;
    out << "| `" << def.name.value << "` | " << cell(def.doc.value) << " | "
        << dtypes_text(def.dtypes.value) << " | "
        << (why_not == nullptr ? "yes" : "no: " + cell(why_not)) << " |\n";
  }
});

}  // namespace
}  // namespace milgrad::test
