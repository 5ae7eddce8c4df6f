// algebra: rewritings that hold for numbers: multiplying by one, factors of factors, sums over one
// element, broadcasts that the next operation would do itself. And transposes, into matmul's flags.
#include "autograd/graph_index.h"
#include "autograd/passes/families.h"
#include "autograd/passes/pass.h"

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

/// x * 1, x / 1 -> x
Value drop_one(const Graph& graph, const GraphIndex&, const Operation& operation) {
  if (operation.op != Op::mul && operation.op != Op::div) return -1;
  const auto one = [&](std::size_t k) {
    return constant_number(graph, operation.inputs[k]) == 1.0 &&
           same_spec(graph, operation.inputs[1 - k], operation.outputs[0]);
  };
  if (one(1)) return operation.inputs[0];
  return operation.op == Op::mul && one(0) ? operation.inputs[1] : -1;
}

/// An elementwise operation broadcasts its operands itself.
bool read_before_broadcast(const Graph& graph, const GraphIndex& index, Operation& operation) {
  if (!is_elementwise(operation.op) || operation.inputs.size() < 2) return false;
  const Shape& whole = graph.spec(operation.outputs[0]).shape;
  for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
    const Operation* wide = index.produced_by(operation.inputs[k], Op::broadcast_like);
    if (wide == nullptr) continue;
    const bool another_is_whole = std::any_of(
        operation.inputs.begin(), operation.inputs.end(),
        [&](Value v) { return v != operation.inputs[k] && graph.spec(v).shape == whole; });
    if (!another_is_whole) continue;
    operation.inputs[k] = wide->inputs[0];
    return true;
  }
  return false;
}

/// c (d x) -> (c d) x for numbers c and d.
bool join_factors(Graph& graph, const GraphIndex& index, Operation& operation) {
  if (operation.op != Op::mul || !is_floating(graph.spec(operation.outputs[0]).dtype)) return false;
  double outer = 0, inner = 0;
  const Value product = without_factor(graph, operation, outer);
  if (product < 0 || !same_spec(graph, product, operation.outputs[0])) return false;
  const Operation* before = index.produced_by(product, Op::mul);
  if (before == nullptr) return false;
  const Value x = without_factor(graph, *before, inner);
  if (x < 0 || !same_spec(graph, x, product)) return false;
  const DType dtype = graph.spec(x).dtype;
  operation.inputs = {graph.add_constant(scalar(outer * inner, dtype)), x};
  return true;
}

/// A sum over axes of size 1 is another shape of the same elements.
bool reshape_for_sum(Graph& graph, const GraphIndex&, Operation& operation) {
  if (operation.op != Op::sum && operation.op != Op::sum_to_like) return false;
  const Spec& from = graph.spec(operation.inputs[0]);
  const Spec to = graph.spec(operation.outputs[0]);
  if (from.shape.has_symbol() || from.shape.numel() != to.shape.numel()) return false;
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

bool take_in_transpose(const GraphIndex& index, Operation& operation) {
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
  return changed;
}

}  // namespace

void algebra(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    const GraphIndex index(graph);
    for (std::size_t i = 0; i < graph.operations.size(); ++i) {
      Operation& operation = graph.operations[i];
      if (const Value same = drop_one(graph, index, operation); same >= 0) {
        graph.replace_uses(operation.outputs[0], same);
        changed = changed || !index.uses(operation.outputs[0]).empty();
      }
      changed = read_before_broadcast(graph, index, operation) || changed;
      changed = join_factors(graph, index, operation) || changed;
      changed = reshape_for_sum(graph, index, operation) || changed;
      if (changed) break;
    }
    remove_dead(graph);
  }
}

void transposes(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    const GraphIndex index(graph);
    for (Operation& operation : graph.operations)
      changed = take_in_transpose(index, operation) || changed;
  }
  remove_dead(graph);
}

}  // namespace milgrad::passes
