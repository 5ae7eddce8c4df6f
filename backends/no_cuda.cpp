// Built without CUDA: every entry of its kernel table is empty, no device is available.
#include "backends/availability.h"
#include "backends/kernel_table.h"

namespace milgrad {

const Kernel kCudaKernels[kOpCount] = {};

Availability availability(Device device) {
  if (device.kind == Device::Kind::cpu) return {true, "CPU"};
  return {false, "milgrad was built without CUDA (configure with -Dcuda=enabled)"};
}

}  // namespace milgrad
