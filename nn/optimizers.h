// All optimizers.
#pragma once

#include "nn/optimizers/adam.h"  // IWYU pragma: export
#include "nn/optimizers/sgd.h"   // IWYU pragma: export
