// Operands that are read, and constants.
#include "autograd/passes/families.h"

#include <algorithm>

namespace milgrad {

bool reads_elements(Op op, std::size_t operand) {
  return operand >= 64 || ((definition(op).shape_only >> operand) & 1u) == 0;
}

std::optional<double> constant_number(const Graph& graph, Value value) {
  const Graph::External* external = graph.find_external(value);
  if (external == nullptr || !is_constant(*external)) return {};
  const Tensor& x = external->tensor;
  return visit_dtype(x.dtype(), [&]<class T>() -> std::optional<double> {
    const auto elements = x.data<T>();
    const auto first = elements.begin();
    if (elements.empty() || std::any_of(first, elements.end(), [&](T e) { return e != *first; }))
      return {};
    return static_cast<double>(*first);
  });
}

}  // namespace milgrad
