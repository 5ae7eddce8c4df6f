// The library as its users see it: `#include "milgrad.h"`. Tensors, operations and gradients are in
// namespace milgrad, layers and training in milgrad::nn, data sets in milgrad::nn::data.
#pragma once

// Tensors and operations.
#include "tensor/error.h"      // IWYU pragma: export
#include "tensor/mode.h"       // IWYU pragma: export
#include "tensor/operators.h"  // IWYU pragma: export
#include "tensor/ops.h"        // IWYU pragma: export
#include "tensor/random.h"     // IWYU pragma: export
#include "tensor/tensor.h"     // IWYU pragma: export
#include "tensor/variable.h"   // IWYU pragma: export

// Devices and threads.
#include "backends/availability.h"     // IWYU pragma: export
#include "backends/cpu/thread_pool.h"  // IWYU pragma: export
#include "backends/flush_denormals.h"  // IWYU pragma: export

// Derivatives.
#include "autograd/compile.h"    // IWYU pragma: export
#include "autograd/custom_op.h"  // IWYU pragma: export
#include "autograd/grad.h"       // IWYU pragma: export
#include "autograd/gradcheck.h"  // IWYU pragma: export
#include "autograd/profile.h"    // IWYU pragma: export
#include "autograd/program.h"    // IWYU pragma: export
#include "autograd/trace.h"      // IWYU pragma: export

// Layers, models and training.
#include "nn/callbacks.h"      // IWYU pragma: export
#include "nn/class_weights.h"  // IWYU pragma: export
#include "nn/data/mnist.h"     // IWYU pragma: export
#include "nn/ensemble.h"       // IWYU pragma: export
#include "nn/initializers.h"   // IWYU pragma: export
#include "nn/layers.h"         // IWYU pragma: export
#include "nn/losses.h"         // IWYU pragma: export
#include "nn/metrics.h"        // IWYU pragma: export
#include "nn/model.h"          // IWYU pragma: export
#include "nn/optimizers.h"     // IWYU pragma: export
#include "nn/regularizers.h"   // IWYU pragma: export
#include "nn/seed.h"           // IWYU pragma: export
