// The CUDA tests' own binary: exits 77, which meson reports as SKIP, where no device is usable.
#include "backends/availability.h"
#include "backends/kernel_table.h"
#include "tensor/error.h"

#include <iostream>

namespace {

/// Whatever limits.def lists throws its reason; a kernel that exists is not in that list.
bool limits_throw_their_reason() {
  for (int i = 0; i < milgrad::kOpCount; ++i) {
    const milgrad::Attrs attrs;
    try {
      milgrad::kCudaKernels[i]({.inputs = {}, .outputs = {}, .attrs = attrs});
      return false;
    } catch (const milgrad::DeviceError& error) {
      const std::string name = milgrad::name_of(static_cast<milgrad::Op>(i));
      if (std::string(error.what()).find("[" + name + "] no CUDA kernel") != 0) return false;
    }
  }
  return true;
}

}  // namespace

int main() {
  const auto device = milgrad::availability(milgrad::Device::cuda());
  if (!device.available) {
    std::cout << "SKIP cuda: " << device.reason << "\n0 passed, 0 failed, 1 skipped\n";
    return 77;
  }
  const bool ok = limits_throw_their_reason();
  std::cout << "device: " << device.reason << '\n'
            << (ok ? "1 passed, 0 failed, 0 skipped\n" : "0 passed, 1 failed, 0 skipped\n");
  return ok ? 0 : 1;
}
