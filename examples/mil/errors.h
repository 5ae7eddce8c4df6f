// The exceptions that mil itself adds to those of tensor/error.h.
#pragma once

#include "tensor/error.h"

namespace mil {

/// A command line, an environment variable or a combination of options that mil does not take.
class UsageError : public milgrad::ValueError {
 public:
  using ValueError::ValueError;
};

}  // namespace mil
