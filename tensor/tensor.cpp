// Tensor handles: access, aliasing, and the checks before elements are read on the host.
#include "tensor/tensor.h"

#include "tensor/mode.h"
#include "tensor/node.h"
#include "tensor/tensor_impl.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad {

std::string Spec::to_string() const {
  return fmt::format("{} {}", name_of(dtype), shape.to_string());
}

const Tensor::Impl& Tensor::impl() const {
  if (!impl_) throw ValueError("[tensor] the tensor is undefined", "assign a value to it first");
  return *impl_;
}

const Shape& Tensor::shape() const { return impl().shape; }
DType Tensor::dtype() const { return impl().dtype; }
Device Tensor::device() const { return impl().device; }
Dim Tensor::size(int axis) const { return shape()[normalize_axis("size", axis, shape())]; }
bool Tensor::has_storage() const { return impl().storage != nullptr; }
bool Tensor::requires_grad() const { return static_cast<bool>(impl().edge); }
const Edge& Tensor::edge() const { return impl().edge; }
TraceValue Tensor::trace_value() const { return impl().trace; }
const std::shared_ptr<Storage>& Tensor::storage() const { return impl().storage; }
std::byte* Tensor::raw_data() const { return impl().storage->data() + impl().byte_offset; }

void Tensor::check_host_access(DType wanted) const {
  if (impl().trace.trace != 0) {
    const Recorder* recorder = current_recorder();
    const bool live = recorder != nullptr && recorder->id() == impl().trace.trace;
    throw TraceError(
        fmt::format(
            "[data] the elements of a traced tensor {} are not known{}", spec().to_string(),
            live ? " (" + recorder->describe(impl().trace.value) + ")" : "; its trace has ended"),
        "a traced function cannot decide on values; use where() or compute outside of the trace");
  }
  if (!has_storage())
    throw GradientError(
        fmt::format("[data] a value {} was read that was not saved", spec().to_string()),
        "list it in the operation's `saves`");
  if (device().kind != Device::Kind::cpu)
    throw DeviceError("[data] the tensor lives on " + device().to_string(), "copy it to the CPU");
  if (dtype() != wanted)
    throw DTypeError(fmt::format("[data] the tensor holds {}, {} was asked for", name_of(dtype()),
                                 name_of(wanted)),
                     "use cast()");
}

void Tensor::check_item() const {
  if (!shape().has_symbol() && numel() == 1) return;
  throw ShapeError(
      fmt::format("[item] shape {} does not have exactly one element", shape().to_string()),
      "reduce it first, or use to_vector()");
}

Tensor Tensor::empty(const Spec& spec, Device device) {
  auto impl = std::make_shared<Impl>();
  const auto count = static_cast<std::size_t>(spec.shape.numel());
  impl->storage = std::make_shared<Storage>(count * milgrad::size_of(spec.dtype), device);
  impl->shape = spec.shape;
  impl->dtype = spec.dtype;
  impl->device = device;
  return Tensor(std::move(impl));
}

Tensor Tensor::alias(const Tensor& source, const Spec& spec, std::size_t byte_offset) {
  auto impl = std::make_shared<Impl>();
  impl->storage = source.storage();
  impl->byte_offset = source.impl().byte_offset + byte_offset;
  impl->shape = spec.shape;
  impl->dtype = spec.dtype;
  impl->device = source.device();
  return Tensor(std::move(impl));
}

Tensor Tensor::abstract(const Spec& spec, Device device) {
  auto impl = std::make_shared<Impl>();
  impl->shape = spec.shape;
  impl->dtype = spec.dtype;
  impl->device = device;
  return Tensor(std::move(impl));
}

Tensor Tensor::with_edge(Edge edge) const {
  auto copy = std::make_shared<Impl>(impl());
  copy->edge = std::move(edge);
  return Tensor(std::move(copy));
}

Tensor Tensor::with_trace(TraceValue value) const {
  auto copy = std::make_shared<Impl>(impl());
  copy->trace = value;
  return Tensor(std::move(copy));
}

Tensor Tensor::stop_gradient() const { return requires_grad() ? with_edge({}) : *this; }

Tensor requires_grad(const Tensor& x) {
  if (!is_floating(x.dtype()))
    throw DTypeError(fmt::format("[requires_grad] a {} tensor has no gradient", name_of(x.dtype())),
                     "cast it to float32 or float64");
  return x.with_edge({make_leaf(), 0});
}

}  // namespace milgrad
