// The elementwise kernels for floating dtypes, which have a form for each SIMD target.
#pragma once

#include "tensor/call.h"

namespace milgrad::cpu::floating {

#define OP(name)
#define UNARY(name) void name(const Call&);
#define BINARY(name) void name(const Call&);
#include "tensor/ops.def"
#undef OP

void elu(const Call&);
void clip(const Call&);

}  // namespace milgrad::cpu::floating
