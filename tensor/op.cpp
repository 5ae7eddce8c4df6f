// The table of operations, made from ops.def.
#include "tensor/op.h"

#include "tensor/ops/definitions.h"

namespace milgrad {

constinit const OpDef* const kOpTable[] = {
#define OP(name) &op_##name,
#include "tensor/ops.def"
#undef OP
};

void InferArgs::refuse_missing(int i) const {
  throw ShapeError(fmt::format("[{}] got {} inputs; expected at least {}", op, count(), i + 1));
}

}  // namespace milgrad
