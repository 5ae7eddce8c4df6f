// Process-wide defaults of nn.
#pragma once

#include "tensor/dtype.h"

namespace milgrad::nn {

/// Whether a layer runs to train or to predict; always an argument, never a global state.
enum class Mode { infer, train };

/// The dtype of layers and inputs that name none: float32 unless set otherwise.
DType floatx();

/// Throws DTypeError unless it is float32 or float64. Layers made before keep their dtype.
void set_floatx(DType dtype);

}  // namespace milgrad::nn
