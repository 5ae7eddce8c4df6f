// Layers that merge a list of tensors into one: Add, Multiply, Concatenate.
#pragma once

#include "nn/layer.h"

namespace milgrad::nn {

/// Sums, element by element; all axes but the samples' broadcast. At least two tensors.
class AddLayer final : public Layer {
 public:
  explicit AddLayer(const LayerOptions& options);
  std::string class_name() const override { return "Add"; }
  bool keeps_samples_apart() const override { return true; }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;
};

/// Products, element by element; all axes but the samples' broadcast. At least two tensors.
class MultiplyLayer final : public Layer {
 public:
  explicit MultiplyLayer(const LayerOptions& options);
  std::string class_name() const override { return "Multiply"; }
  bool keeps_samples_apart() const override { return true; }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;
  void check_inputs(const std::vector<Shape>& inputs) const override;
};

struct ConcatenateOptions {
  int axis = -1;
  std::string name = {};
  std::optional<DType> dtype = {};
};

/// One behind the other along an axis; the other axes must be equal. At least one tensor.
class ConcatenateLayer final : public Layer {
 public:
  explicit ConcatenateLayer(const ConcatenateOptions& options);
  std::string class_name() const override { return "Concatenate"; }
  bool keeps_samples_apart() const override { return axis_ > 0 || axis_ == -1; }

 protected:
  Tensors call(const Tensors& inputs, Mode mode) override;

 private:
  int axis_;
};

Handle<AddLayer> Add(const LayerOptions& options = {});
Handle<MultiplyLayer> Multiply(const LayerOptions& options = {});
Handle<ConcatenateLayer> Concatenate(const ConcatenateOptions& options = {});

/// The same with the layer made on the spot: multiply({a, b}).
SymbolicTensor add(const SymbolicTensors& inputs, const LayerOptions& options = {});
SymbolicTensor multiply(const SymbolicTensors& inputs, const LayerOptions& options = {});
SymbolicTensor concatenate(const SymbolicTensors& inputs, const ConcatenateOptions& options = {});

}  // namespace milgrad::nn
