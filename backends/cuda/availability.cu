// Asks the CUDA runtime for its devices.
#include "backends/availability.h"

#include <cuda_runtime.h>

namespace milgrad {

Availability availability(Device device) {
  if (device.kind == Device::Kind::cpu) return {true, "CPU"};
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) return {false, cudaGetErrorString(status)};
  if (device.index < 0 || device.index >= count)
    return {false, "there are " + std::to_string(count) + " CUDA devices"};
  cudaDeviceProp properties;
  const cudaError_t described = cudaGetDeviceProperties(&properties, device.index);
  if (described != cudaSuccess) return {false, cudaGetErrorString(described)};
  return {true, properties.name};
}

}  // namespace milgrad
