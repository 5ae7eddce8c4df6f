// What a model accepts for its symbolic inputs.
#pragma once

#include "nn/symbolic.h"
#include "tensor/tensor.h"

#include <string>

namespace milgrad::nn {

/// The given tensors cast to the inputs' dtypes, with a trailing axis of size 1 dropped or added
/// where only that differs. Throws ValueError for another number of tensors, ShapeError for shapes
/// that do not fit or numbers of samples that differ; `model` is for the message.
Tensors adapt_model_inputs(const std::string& model, const SymbolicTensors& inputs,
                           const Tensors& given);

}  // namespace milgrad::nn
