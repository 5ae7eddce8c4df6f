// The table of passes, alone in its file so that a test can link another.
#include "autograd/passes/pass.h"

namespace milgrad {

const Pass kPassTable[] = {
#define PASS(name, doc) {#name, doc, passes::name},
#include "autograd/passes/passes.def"
#undef PASS
};

}  // namespace milgrad
