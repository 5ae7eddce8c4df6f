// Kernels that update variables in place.
#include "backends/kernel_table.h"

#include <cstring>

namespace milgrad::cpu {

void assign(const Call& call) {
  // memmove: the value may be a view of the variable itself.
  std::memmove(call.in(0).data, call.in(1).data,
               static_cast<std::size_t>(call.in(0).numel) * size_of(call.in(0).dtype));
}

}  // namespace milgrad::cpu
