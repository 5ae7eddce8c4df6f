// Tensor handles: access, aliasing, and the checks before elements are read on the host.
#include "tensor/tensor.h"

#include "tensor/mode.h"
#include "tensor/node.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

namespace milgrad {

struct Tensor::Impl {
  TensorParts parts;
  Edge edge;
};

std::string Spec::to_string() const {
  return fmt::format("{} {}", name_of(dtype), shape.to_string());
}

const Tensor::Impl& Tensor::impl() const {
  if (!impl_) throw ValueError("[tensor] the tensor is undefined", "assign a value to it first");
  return *impl_;
}

const TensorParts& Tensor::parts() const { return impl().parts; }
const Shape& Tensor::shape() const { return parts().spec.shape; }
DType Tensor::dtype() const { return parts().spec.dtype; }
const Spec& Tensor::spec() const { return parts().spec; }
Device Tensor::device() const { return parts().device; }
Dim Tensor::size(int axis) const { return shape()[normalize_axis("size", axis, shape())]; }
bool Tensor::has_storage() const { return parts().storage != nullptr; }
bool Tensor::requires_grad() const { return static_cast<bool>(impl().edge); }
const Edge& Tensor::edge() const { return impl().edge; }
TraceValue Tensor::trace_value() const { return parts().trace; }
const std::shared_ptr<Storage>& Tensor::storage() const { return parts().storage; }
std::byte* Tensor::raw_data() const { return parts().storage->data() + parts().byte_offset; }

void Tensor::check_host_access(DType wanted) const {
  if (trace_value().trace != 0) {
    const Recorder* recorder = current_recorder();
    const bool live = recorder != nullptr && recorder->id() == trace_value().trace;
    const std::string origin =
        live ? recorder->describe(trace_value().value) : describe_ended(trace_value());
    throw TraceError(
        fmt::format("[data] the elements of a traced tensor {} are not known{}{}",
                    spec().to_string(), origin.empty() ? "" : " (" + origin + ")",
                    live ? "" : "; its trace has ended"),
        "a traced function cannot decide on values; use where() or compute outside of the trace");
  }
  if (!has_storage())
    throw GradientError(
        fmt::format("[data] a value {} was read that was not saved", spec().to_string()),
        "list it in the operation's `saves`");
  if (current_recorder() != nullptr && current_recorder()->overwritten(*storage()) > 0)
    throw TraceError(fmt::format("[data] a variable {} was read that the traced function changes",
                                 spec().to_string()),
                     "nothing is computed while a function is traced; read it outside");
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

Tensor Tensor::from_parts(TensorParts parts, Edge edge) {
  return Tensor(std::make_shared<Impl>(Impl{std::move(parts), std::move(edge)}));
}

Tensor Tensor::empty(const Spec& spec, Device device) {
  std::size_t bytes;
  if (__builtin_mul_overflow(static_cast<std::size_t>(spec.shape.numel()),
                             milgrad::size_of(spec.dtype), &bytes))
    throw std::bad_alloc();
  return from_parts(
      {.storage = std::make_shared<Storage>(bytes, device), .spec = spec, .device = device});
}

Tensor Tensor::alias(const Tensor& source, const Spec& spec, std::size_t byte_offset) {
  return from_parts({.storage = source.storage(),
                     .byte_offset = source.parts().byte_offset + byte_offset,
                     .spec = spec,
                     .device = source.device()});
}

Tensor Tensor::abstract(const Spec& spec, Device device) {
  return from_parts({.spec = spec, .device = device});
}

Tensor Tensor::with_edge(Edge edge) const { return from_parts(parts(), std::move(edge)); }

Tensor Tensor::with_trace(TraceValue value) const {
  TensorParts copy = parts();
  copy.trace = value;
  return from_parts(std::move(copy), edge());
}

void Tensor::attach(Edge edge) { impl_->edge = std::move(edge); }

Tensor Tensor::stop_gradient() const { return requires_grad() ? with_edge({}) : *this; }

Tensor requires_grad(const Tensor& x) {
  if (!is_floating(x.dtype()))
    throw DTypeError(fmt::format("[requires_grad] a {} tensor has no gradient", name_of(x.dtype())),
                     "cast it to float32 or float64");
  return x.with_edge({make_leaf(), 0});
}

}  // namespace milgrad
