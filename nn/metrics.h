// All metrics.
#pragma once

#include "nn/metrics/accuracy.h"  // IWYU pragma: export
#include "nn/metrics/mean.h"      // IWYU pragma: export
