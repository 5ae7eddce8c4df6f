// Whether a device can be used by this build on this machine.
#pragma once

#include "tensor/device.h"

#include <string>

namespace milgrad {

struct Availability {
  bool available = false;
  std::string reason;  // why not: not built, no driver, no device; or the device's name
};

Availability availability(Device device);

}  // namespace milgrad
