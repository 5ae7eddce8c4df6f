// SymbolicTensor: shape, dtype and history of a tensor that a model will compute.
#pragma once

#include "nn/config.h"
#include "nn/one_or_many.h"
#include "tensor/tensor.h"

#include <memory>
#include <optional>
#include <vector>

namespace milgrad::nn {

class Layer;
struct LayerCall;

/// Stands for output `tensor_index` of one call of a layer. The leading size of its shape is the
/// unknown number of samples ("N" in messages, "None" in summaries). A cheap handle.
class SymbolicTensor {
 public:
  SymbolicTensor(std::shared_ptr<const LayerCall> call, int tensor_index);

  const Spec& spec() const;
  const Shape& shape() const { return spec().shape; }
  DType dtype() const { return spec().dtype; }

  /// The call it comes from: layer, inputs, and how many calls of the layer came before.
  const LayerCall& call() const { return *call_; }
  const std::shared_ptr<const LayerCall>& shared_call() const { return call_; }
  Layer& layer() const;
  int node_index() const;
  int tensor_index() const { return tensor_index_; }

  bool operator==(const SymbolicTensor&) const = default;

 private:
  std::shared_ptr<const LayerCall> call_;
  int tensor_index_;
};

using SymbolicTensors = std::vector<SymbolicTensor>;

/// One call of a layer on symbolic tensors: a node of the graph that a Model runs.
struct LayerCall {
  std::shared_ptr<Layer> layer;
  int node_index = 0;
  SymbolicTensors inputs = {};  // none for an InputLayer
  std::vector<Spec> outputs = {};
  std::optional<Mode> mode = {};  // fixed by the caller; empty: the mode the model runs in
};

/// The unknown number of samples: the leading size of every symbolic tensor.
Dim batch_size_symbol();

}  // namespace milgrad::nn
