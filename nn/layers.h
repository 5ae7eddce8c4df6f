// All layers.
#pragma once

#include "nn/layers/activation.h"  // IWYU pragma: export
#include "nn/layers/dense.h"       // IWYU pragma: export
#include "nn/layers/dropout.h"     // IWYU pragma: export
#include "nn/layers/flatten.h"     // IWYU pragma: export
#include "nn/layers/input.h"       // IWYU pragma: export
#include "nn/layers/merge.h"       // IWYU pragma: export
#include "nn/layers/reshape.h"     // IWYU pragma: export
