// Looks a kernel up in the table of a device's backend.
#include "backends/kernel_table.h"
#include "tensor/error.h"

#include <string>

namespace milgrad {

Kernel find_kernel(Op op, Device device) {
  const auto index = static_cast<std::size_t>(op);
  const Kernel kernel = device.kind == Device::Kind::cpu ? kCpuKernels[index] : kCudaKernels[index];
  if (kernel == nullptr)
    throw DeviceError("[" + std::string(name_of(op)) + "] no kernel for " + device.to_string(),
                      "this build has no CUDA backend; use Device::cpu()");
  return kernel;
}

}  // namespace milgrad
