// Access to a symbolic tensor's history.
#include "nn/symbolic.h"

#include "nn/layer.h"

namespace milgrad::nn {

SymbolicTensor::SymbolicTensor(std::shared_ptr<const LayerCall> call, int tensor_index)
    : call_(std::move(call)), tensor_index_(tensor_index) {}

const Spec& SymbolicTensor::spec() const {
  return call_->outputs[static_cast<std::size_t>(tensor_index_)];
}
Layer& SymbolicTensor::layer() const { return *call_->layer; }
int SymbolicTensor::node_index() const { return call_->node_index; }

Dim batch_size_symbol() { return symbolic_dim(1); }

}  // namespace milgrad::nn
