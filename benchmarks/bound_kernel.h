// One operation bound to memory of its own, as a program calls it: no inference, no allocation.
#pragma once

#include "backends/kernel_table.h"
#include "tensor/ops.h"
#include "tests/registry/sample_tensors.h"

#include <vector>

namespace milgrad::bench {

class BoundKernel {
 public:
  /// Inputs of standard normal numbers, but for those in `positive`.
  BoundKernel(Op op, Attrs attrs, const std::vector<Spec>& inputs, std::uint64_t positive = 0)
      : attrs_(std::move(attrs)), kernel_(find_kernel(op, Device::cpu())) {
    const OpDef& def = definition(op);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto domain =
          (positive >> i) & 1u ? SampleInput::Domain::unit : SampleInput::Domain::normal;
      const Tensor x = test::sample_tensor({.shape = inputs[i].shape, .domain = domain}, i + 1);
      add(test::converted(x, inputs[i].dtype), inputs_);
    }
    for (const Spec& spec :
         def.infer.value({.op = def.name.value, .attrs = attrs_, .inputs = inputs}))
      add(Tensor::empty(spec), outputs_);
    const std::size_t scratch = def.workspace == nullptr ? 0 : def.workspace(inputs, attrs_);
    workspace_ = Tensor::empty({Shape{static_cast<Dim>(scratch)}, DType::uint8});
  }
  BoundKernel(const BoundKernel&) = delete;
  BoundKernel& operator=(const BoundKernel&) = delete;

  void operator()() const {
    kernel_({.inputs = inputs_,
             .outputs = outputs_,
             .attrs = attrs_,
             .workspace = workspace_.raw_data()});
  }
  template <class T>
  T* input(std::size_t i) const {
    return inputs_[i].as<T>();
  }
  template <class T>
  T* output(std::size_t i = 0) const {
    return outputs_[i].as<T>();
  }

 private:
  void add(const Tensor& x, std::vector<View>& views) {
    tensors_.push_back(x);
    views.push_back({tensors_.back().raw_data(), x.shape(), x.dtype(), x.numel()});
  }

  Attrs attrs_;
  Kernel kernel_;
  std::vector<Tensor> tensors_;
  std::vector<View> inputs_, outputs_;
  Tensor workspace_;
};

}  // namespace milgrad::bench
