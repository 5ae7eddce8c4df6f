// The gradient of attention pooling goes on through the relu that made the instances.
#include "autograd/graph_index.h"
#include "autograd/passes/pass.h"

namespace milgrad::passes {
namespace {

/// The other operand of `product` if it is sign(instances).
bool multiplies_by_sign(const GraphIndex& index, const Graph::Operation& product, int operand,
                        Value instances) {
  const auto other = product.inputs[static_cast<std::size_t>(1 - operand)];
  const Graph::Operation* sign = index.produced_by(other, Op::sign);
  return sign != nullptr && sign->inputs[0] == instances;
}

/// Takes the product with sign(instances) into the gradient.
bool take_relu(Graph& graph, const GraphIndex& index, int i) {
  Graph::Operation& operation = graph.operation(i);
  if (operation.op != Op::gated_attention_pool_gradient) return false;
  auto attrs = std::get<AttentionPoolAttrs>(operation.attrs);
  const Value gradient = operation.outputs[0], instances = operation.inputs[0];
  // A relu's result: only there is sign(instances) the derivative of the relu.
  if (attrs.through_relu || !index.has_one_use(gradient) ||
      index.produced_by(instances, Op::relu) == nullptr)
    return false;
  const Use use = index.uses(gradient)[0];
  const Graph::Operation& product = graph.operation(use.operation);
  if (product.op != Op::mul || !multiplies_by_sign(index, product, use.operand, instances))
    return false;
  attrs.through_relu = true;
  operation.attrs = attrs;
  graph.replace_uses(product.outputs[0], gradient);
  return true;
}

}  // namespace

void attention(Graph& graph) {
  rewrite_everywhere(graph, take_relu);
  remove_dead(graph);
}

}  // namespace milgrad::passes
