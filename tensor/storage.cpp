// Storage takes and returns its memory through the device's caching allocator.
#include "tensor/storage.h"

#include "backends/allocator.h"

namespace milgrad {

Storage::Storage(std::size_t bytes, Device device)
    : data_(allocate(bytes, device)), bytes_(bytes), device_(device) {}

Storage::~Storage() { deallocate(data_, bytes_, device_); }

}  // namespace milgrad
