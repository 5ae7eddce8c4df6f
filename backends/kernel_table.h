// The kernels of every backend, one entry per row of ops.def. A missing kernel is a linker error
// that names it.
#pragma once

#include "tensor/call.h"
#include "tensor/device.h"
#include "tensor/op.h"

namespace milgrad {

namespace cpu {
#define OP(name) void name(const Call&);
#include "tensor/ops.def"
#undef OP
}  // namespace cpu

/// Each table is one linked symbol, so that a test can link another one.
extern const Kernel kCpuKernels[];
/// Empty (null entries) when milgrad was built without CUDA.
extern const Kernel kCudaKernels[];

/// The kernel of `op` on `device`; throws DeviceError if this build has none.
Kernel find_kernel(Op op, Device device);

}  // namespace milgrad
