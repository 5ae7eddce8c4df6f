// The CUDA kernel table, made from ops.def; kernels that are missing come from limits.def.
#include "backends/kernel_table.h"

#include "tensor/error.h"

namespace milgrad {

namespace cuda {
#define OP(name) void name(const Call&);
#include "tensor/ops.def"
#undef OP

#define LIMIT(name, reason)                                                                        \
  void name(const Call&) {                                                                         \
    throw DeviceError("[" #name "] no CUDA kernel: " reason, "move the tensors to Device::cpu()"); \
  }
#include "backends/cuda/limits.def"
#undef LIMIT
}  // namespace cuda

constexpr Kernel kCudaKernels[] = {
#define OP(name) &cuda::name,
#include "tensor/ops.def"
#undef OP
};

}  // namespace milgrad
