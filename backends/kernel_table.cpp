// The CPU's kernel table, made from ops.def.
#include "backends/kernel_table.h"

#include "tensor/error.h"

#include <string>

namespace milgrad {

constexpr Kernel kCpuKernels[] = {
#define OP(name) &cpu::name,
#include "tensor/ops.def"
#undef OP
};

}  // namespace milgrad
