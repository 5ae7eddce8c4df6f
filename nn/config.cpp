// Process-wide defaults of nn.
#include "nn/config.h"

#include "tensor/error.h"

#include <atomic>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

std::atomic<DType> default_dtype = DType::float32;

}  // namespace

DType floatx() { return default_dtype; }

void set_floatx(DType dtype) {
  if (!is_floating(dtype))
    throw DTypeError(
        fmt::format("[set_floatx] got {}; expected {}", name_of(dtype), to_string(kFloating)));
  default_dtype = dtype;
}

}  // namespace milgrad::nn
