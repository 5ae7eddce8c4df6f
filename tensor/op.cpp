// The table of operations, made from ops.def; alone in its file, since the mutation tests link
// another one.
#include "tensor/op.h"

#include "tensor/ops/definitions.h"

namespace milgrad {

constinit const OpDef* const kOpTable[] = {
#define OP(name) &op_##name,
#include "tensor/ops.def"
#undef OP
};

}  // namespace milgrad
