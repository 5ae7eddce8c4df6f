// dense: a product with a kernel, its bias and its activation become one operation; and several
// such layers on one input become one that reads the input once.
#include "autograd/graph_index.h"
#include "autograd/passes/pass.h"

#include <optional>

namespace milgrad::passes {
namespace {

using Operation = Graph::Operation;

std::optional<Activation> activation_of(Op op) {
  switch (op) {
    case Op::relu:
      return Activation::relu;
    case Op::tanh:
      return Activation::tanh;
    case Op::sigmoid:
      return Activation::sigmoid;
    default:
      return {};
  }
}

/// linear -> dense, with the activation if nothing else reads the product.
bool fuse_activation(Graph& graph, const GraphIndex& index, int i) {
  const Operation linear = graph.operation(i);
  if (linear.op != Op::linear) return false;
  Operation dense{Op::dense, DenseAttrs{}, linear.inputs, linear.outputs, linear.scope};
  std::vector<int> members{i};
  if (index.has_one_use(linear.outputs[0])) {
    const int next = index.uses(linear.outputs[0])[0].operation;
    const Operation& after = graph.operation(next);
    if (const auto activation = activation_of(after.op)) {
      dense.attrs = DenseAttrs{*activation};
      dense.outputs = after.outputs;
      members.push_back(next);
    }
  }
  rewrite(graph, members, {dense});
  return true;
}

/// dense layers on one input -> multi_dense.
bool fuse_on_one_input(Graph& graph, const GraphIndex& index, int i) {
  const Operation first = graph.operation(i);
  if (first.op != Op::dense) return false;
  std::vector<int> members;
  for (const Use& use : index.uses(first.inputs[0])) {
    const Operation& other = graph.operation(use.operation);
    if (other.op != Op::dense || use.operand != 0) continue;
    members.push_back(use.operation);
    if (!index.are_independent(members)) members.pop_back();
  }
  if (members.size() < 2 || members[0] != i) return false;
  MultiDenseAttrs attrs;
  Operation multi{Op::multi_dense, {}, {first.inputs[0]}, {}, first.scope};
  for (int m : members) {
    const Operation& dense = graph.operation(m);
    attrs.members.push_back(
        {std::get<DenseAttrs>(dense.attrs).activation, dense.inputs.size() == 3});
    multi.inputs.insert(multi.inputs.end(), dense.inputs.begin() + 1, dense.inputs.end());
    multi.outputs.push_back(dense.outputs[0]);
  }
  multi.attrs = attrs;
  rewrite(graph, members, {multi});
  return true;
}

}  // namespace

void dense(Graph& graph) { rewrite_everywhere(graph, fuse_activation); }
void dense_on_one_input(Graph& graph) { rewrite_everywhere(graph, fuse_on_one_input); }

}  // namespace milgrad::passes
