// Built without CUDA: every entry of its kernel table is empty.
#include "backends/kernel_table.h"

namespace milgrad {

const Kernel kCudaKernels[kOpCount] = {};

}  // namespace milgrad
