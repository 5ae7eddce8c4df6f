// The funnel. Eager, tape and trace are modes of apply().
#include "tensor/apply.h"

#include "backends/kernel_table.h"
#include "tensor/mode.h"
#include "tensor/node.h"
#include "tensor/small_vector.h"

#include <optional>

#include <fmt/format.h>

namespace milgrad {
namespace {

constexpr std::size_t kFew = 4;  // inputs or outputs of most operations

void check_inputs(const OpDef& def, std::span<const Tensor> inputs) {
  const Recorder* recorder = current_recorder();
  const std::uint64_t trace = recorder == nullptr ? 0 : recorder->id();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined())
      throw ValueError(fmt::format("[{}] input {} is undefined", def.name.value, i));
    const std::uint64_t owner = inputs[i].trace_value().trace;
    if (owner != 0 && owner != trace) {
      const std::string origin = describe_ended(inputs[i].trace_value());
      throw TraceError(
          fmt::format("[{}] input {} ({}{}{}) belongs to a trace that has ended", def.name.value, i,
                      inputs[i].spec().to_string(), origin.empty() ? "" : ", ", origin),
          "return traced tensors from the traced function instead of keeping them");
    }
    const bool shape_only = i < 64 && ((def.shape_only >> i) & 1u);
    if (owner == 0 && !inputs[i].has_storage() && !shape_only)
      throw GradientError(fmt::format("[{}] input {} ({}) was not saved for the backward pass",
                                      def.name.value, i, inputs[i].spec().to_string()),
                          "list it in the `saves` of the operation whose gradient rule reads it");
    if (inputs[i].device() != inputs[0].device())
      throw DeviceError(fmt::format("[{}] input {} is on {}, input 0 on {}", def.name.value, i,
                                    inputs[i].device().to_string(), inputs[0].device().to_string()),
                        "move all inputs to one device");
  }
}

View view_of(const Tensor& x) {
  return {x.has_storage() ? x.raw_data() : nullptr, x.shape(), x.dtype(), x.numel()};
}

void run_kernel(Op op, const OpDef& def, const Attrs& attrs, std::span<const Tensor> inputs,
                std::span<const Tensor> outputs, std::span<const Spec> specs) {
  const Device device = inputs.empty() ? Device::cpu() : inputs[0].device();
  SmallVector<View, kFew> in(inputs.size()), out(outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) in[i] = view_of(inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) out[i] = view_of(outputs[i]);
  std::optional<Storage> workspace;
  const std::size_t scratch = def.workspace != nullptr ? def.workspace(specs, attrs) : 0;
  if (scratch > 0) workspace.emplace(scratch, device);
  find_kernel(op, device)({.inputs = in,
                           .outputs = out,
                           .attrs = attrs,
                           .workspace = workspace ? workspace->data() : nullptr});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (i < 64 && ((def.mutates >> i) & 1u)) inputs[i].storage()->bump_version();
}

Tensors compute(Op op, const OpDef& def, const Attrs& attrs, std::span<const Tensor> inputs,
                std::span<const Spec> input_specs, std::span<const Spec> output_specs) {
  Tensors outputs;
  outputs.reserve(output_specs.size());
  std::size_t offset = def.alias != nullptr ? def.alias(input_specs[0], attrs) : kNoAlias;
  if (offset != kNoAlias) {
    for (const Spec& spec : output_specs) {
      outputs.push_back(Tensor::alias(inputs[0], spec, offset));
      offset += static_cast<std::size_t>(spec.shape.numel()) * size_of(spec.dtype);
    }
    return outputs;
  }
  const Device device = inputs.empty() ? Device::cpu() : inputs[0].device();
  for (const Spec& spec : output_specs) outputs.push_back(Tensor::empty(spec, device));
  run_kernel(op, def, attrs, inputs, outputs, input_specs);
  return outputs;
}

}  // namespace

std::vector<Spec> specs_of(std::span<const Tensor> tensors) {
  std::vector<Spec> specs;
  for (const Tensor& x : tensors) specs.push_back(x.spec());
  return specs;
}

Tensors apply(Op op, const Attrs& attrs, std::span<const Tensor> inputs) {
  const OpDef& def = definition(op);
  check_inputs(def, inputs);
  SmallVector<Spec, kFew> specs(inputs.size());
  bool tracked = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    specs[i] = inputs[i].spec();
    tracked = tracked || inputs[i].requires_grad();
  }
  const std::vector<Spec> inferred =
      def.infer.value({.op = def.name.value, .attrs = attrs, .inputs = specs});
  Recorder* recorder = current_recorder();
  Tensors outputs = recorder != nullptr ? recorder->record(op, attrs, inputs, inferred)
                                        : compute(op, def, attrs, inputs, specs, inferred);
  if (tracked && grad_enabled()) record_on_tape(op, attrs, inputs, outputs);
  return outputs;
}

Tensor apply_one(Op op, const Attrs& attrs, std::span<const Tensor> inputs) {
  return std::move(apply(op, attrs, inputs)[0]);
}

}  // namespace milgrad
