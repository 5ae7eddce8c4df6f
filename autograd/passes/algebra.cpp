// algebra: rewritings that hold for numbers: multiplying by one, factors of factors, sums over one
// element, broadcasts that the next operation would do itself. And transposes, into matmul's flags.
#include "autograd/graph_index.h"
#include "autograd/passes/families.h"
#include "autograd/passes/pass.h"
#include "tensor/chain.h"

#include <algorithm>
#include <utility>

namespace milgrad::passes {
namespace {

using Operation = Graph::Operation;

/// The other operand of a product with a constant number; the number goes to `factor`.
Value without_factor(const Graph& graph, const Operation& product, double& factor) {
  for (std::size_t k = 0; k < 2; ++k)
    if (const auto number = constant_number(graph, product.inputs[k])) {
      factor = *number;
      return product.inputs[1 - k];
    }
  return -1;
}

bool same_spec(const Graph& graph, Value a, Value b) { return graph.spec(a) == graph.spec(b); }

/// x * 1, x / 1 -> x, unless that would show later values of a variable.
bool drop_one(Graph& graph, const GraphIndex& index, int i) {
  const Operation& operation = graph.operation(i);
  if (operation.op != Op::mul && operation.op != Op::div) return false;
  const Value result = operation.outputs[0];
  for (std::size_t k = 0; k < 2; ++k) {
    const Value x = operation.inputs[1 - k];
    if ((operation.op == Op::div && k == 0) || constant_number(graph, operation.inputs[k]) != 1.0 ||
        !same_spec(graph, x, result) || index.is_overwritten(x))
      continue;
    graph.replace_uses(result, x);
    remove_dead(graph);
    return true;
  }
  return false;
}

/// An elementwise operation broadcasts its operands itself.
bool read_before_broadcast(Graph& graph, const GraphIndex& index, int i) {
  Operation operation = graph.operation(i);
  if (!is_elementwise(operation.op) || operation.inputs.size() < 2) return false;
  const Shape& whole = graph.spec(operation.outputs[0]).shape;
  for (Value& operand : operation.inputs) {
    const Operation* wide = index.produced_by(operand, Op::broadcast_like);
    if (wide == nullptr) continue;
    const bool another_is_whole =
        std::any_of(operation.inputs.begin(), operation.inputs.end(),
                    [&](Value v) { return v != operand && graph.spec(v).shape == whole; });
    if (!another_is_whole) continue;
    operand = wide->inputs[0];
    return try_rewrite(graph, std::vector<int>{i}, {operation});
  }
  return false;
}

/// c (d x) -> (c d) x for numbers c and d.
bool join_factors(Graph& graph, const GraphIndex& index, int i) {
  Operation operation = graph.operation(i);
  if (operation.op != Op::mul || !is_floating(graph.spec(operation.outputs[0]).dtype)) return false;
  double outer = 0, inner = 0;
  const Value product = without_factor(graph, operation, outer);
  if (product < 0 || !same_spec(graph, product, operation.outputs[0])) return false;
  const Operation* before = index.produced_by(product, Op::mul);
  if (before == nullptr) return false;
  const Value x = without_factor(graph, *before, inner);
  if (x < 0 || !same_spec(graph, x, product)) return false;
  operation.inputs = {graph.add_constant(scalar(outer * inner, graph.spec(x).dtype)), x};
  return try_rewrite(graph, std::vector<int>{i}, {operation});
}

/// A sum over axes of size 1 is another shape of the same elements.
bool reshape_for_sum(Graph& graph, const GraphIndex& index, int i) {
  Operation& operation = graph.operation(i);
  if (operation.op != Op::sum && operation.op != Op::sum_to_like) return false;
  const Spec& from = graph.spec(operation.inputs[0]);
  const Spec to = graph.spec(operation.outputs[0]);
  if (from.shape.has_symbol() || from.shape.numel() != to.shape.numel() ||
      index.is_overwritten(operation.inputs[0]))
    return false;
  const Value like = graph.add_constant(Tensor::abstract(to));
  operation = {
      Op::reshape_like, NoAttrs{}, {operation.inputs[0], like}, operation.outputs, operation.scope};
  return true;
}

bool swaps_last_two(const Operation& transpose) {
  const Axes& axes = std::get<AxesAttrs>(transpose.attrs).axes;
  for (int i = 0; i + 2 < axes.rank(); ++i)
    if (axes[i] != i) return false;
  return axes.rank() >= 2 && axes[axes.rank() - 2] == axes.rank() - 1;
}

bool take_in_transpose(Graph& graph, const GraphIndex& index, int i) {
  Operation operation = graph.operation(i);
  if (operation.op != Op::matmul) return false;
  auto attrs = std::get<MatmulAttrs>(operation.attrs);
  bool changed = false;
  for (std::size_t k = 0; k < 2; ++k) {
    const Operation* transpose = index.produced_by(operation.inputs[k], Op::transpose);
    if (transpose == nullptr || !swaps_last_two(*transpose)) continue;
    operation.inputs[k] = transpose->inputs[0];
    bool& flag = k == 0 ? attrs.transpose_a : attrs.transpose_b;
    flag = !flag;
    changed = true;
  }
  operation.attrs = attrs;
  return changed && try_rewrite(graph, std::vector<int>{i}, {operation});
}

}  // namespace

void algebra(Graph& graph) {
  rewrite_everywhere(graph, [](Graph& g, const GraphIndex& index, int i) {
    return drop_one(g, index, i) || read_before_broadcast(g, index, i) ||
           join_factors(g, index, i) || reshape_for_sum(g, index, i);
  });
  remove_dead(graph);
}

void transposes(Graph& graph) {
  rewrite_everywhere(graph, take_in_transpose);
  remove_dead(graph);
}

}  // namespace milgrad::passes
