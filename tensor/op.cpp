// The table of operations, made from ops.def.
#include "tensor/op.h"

#include "tensor/ops/definitions.h"

namespace milgrad {

constinit const OpDef* const kOpTable[] = {
#define OP(name) &op_##name,
#include "tensor/ops.def"
#undef OP
};

}  // namespace milgrad
