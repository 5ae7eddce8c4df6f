// Calls the CPU kernel of a custom operation.
#include "tensor/custom.h"

#include "backends/kernel_table.h"
#include "tensor/error.h"

namespace milgrad::cpu {

void custom(const Call& call) {
  const CustomOp& op = *call.get<CustomAttrs>().op;
  if (!op.cpu)
    throw DeviceError("[" + op.name + "] no kernel for cpu", "set `cpu`, or use its reference");
  op.cpu(call);
}

}  // namespace milgrad::cpu
