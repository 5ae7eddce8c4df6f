// alike: the same operation on each part of a stack becomes one operation on the stack. So one
// Dense applied to several inputs reads its weights once, and what follows each of them is done for
// all.
#include "autograd/graph_index.h"
#include "autograd/passes/families.h"
#include "autograd/passes/pass.h"
#include "tensor/chain.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace milgrad::passes {
namespace {

using Operation = Graph::Operation;

// Inputs of one layer that are not parts of a stack yet are copied into one only if they are few
// rows: then the product costs what reading the weights costs.
constexpr std::int64_t kFewRows = 64;

/// Parts of a stack, by their place in it.
struct Part {
  Value whole;
  std::size_t place;
};
using Parts = std::map<Value, Part>;

bool on_axis_0(const Operation& operation) {
  return std::get<AxisAttrs>(operation.attrs).axis == 0;
}

/// Which values are positions of the leading axis of which others: what unstack gives, and what
/// stack takes.
Parts find_parts(const Graph& graph) {
  Parts parts;
  for (const Operation& operation : graph.operations) {
    if (operation.op == Op::unstack && on_axis_0(operation))
      for (std::size_t i = 0; i < operation.outputs.size(); ++i)
        parts[operation.outputs[i]] = {operation.inputs[0], i};
    if (operation.op == Op::stack && on_axis_0(operation))
      for (std::size_t i = 0; i < operation.inputs.size(); ++i)
        parts.emplace(operation.inputs[i], Part{operation.outputs[0], i});
  }
  return parts;
}

Shape with_leading(Dim count, Shape shape) {
  shape.insert(0, count);
  return shape;
}

bool may_be_stacked(const Operation& operation) {
  return is_elementwise(operation.op) || operation.op == Op::linear ||
         operation.op == Op::sum_to_like || operation.op == Op::broadcast_like;
}

/// Whether this operand of member i is what the operand of the first member leads to expect.
class Matcher {
 public:
  Matcher(const Graph& graph, const Parts& parts, std::size_t count)
      : graph_(graph), parts_(parts), count_(count) {}

  bool fits(const Operation& first, const Operation& other, std::size_t place) const {
    if (other.op != first.op || !(other.attrs == first.attrs) ||
        other.inputs.size() != first.inputs.size() ||
        !(graph_.spec(other.outputs[0]) == graph_.spec(first.outputs[0])))
      return false;
    for (std::size_t k = 0; k < first.inputs.size(); ++k)
      if (!operand_fits(first, k, other.inputs[k], place)) return false;
    return true;
  }

  /// The stack of which this operand of the first member is position 0.
  std::optional<Value> whole(const Operation& first, std::size_t k) const {
    const auto part = parts_.find(first.inputs[k]);
    const bool leads = part != parts_.end() && part->second.place == 0 &&
                       graph_.spec(part->second.whole).shape[0] == static_cast<Dim>(count_);
    return leads ? std::optional(part->second.whole) : std::nullopt;
  }

 private:
  bool operand_fits(const Operation& first, std::size_t k, Value given, std::size_t place) const {
    if (!reads_elements(first.op, k)) return graph_.spec(given) == graph_.spec(first.inputs[k]);
    const auto stack = whole(first, k);
    if (!stack) return given == first.inputs[k];
    const auto part = parts_.find(given);
    return part != parts_.end() && part->second.whole == *stack && part->second.place == place;
  }

  const Graph& graph_;
  const Parts& parts_;
  std::size_t count_;
};

/// The operation on stacks that does what all members do, and the unstacking of its result.
std::vector<Operation> stacked(Graph& graph, const Matcher& matcher,
                               const std::vector<int>& members) {
  const Operation first = graph.operation(members[0]);
  const auto count = static_cast<Dim>(members.size());
  Operation whole{first.op, first.attrs, {}, {}, first.scope};
  for (std::size_t k = 0; k < first.inputs.size(); ++k) {
    const Spec& spec = graph.spec(first.inputs[k]);
    if (!reads_elements(first.op, k))
      whole.inputs.push_back(
          graph.add_constant(Tensor::abstract({with_leading(count, spec.shape), spec.dtype})));
    else
      whole.inputs.push_back(matcher.whole(first, k).value_or(first.inputs[k]));
  }
  const Spec out = graph.spec(first.outputs[0]);
  whole.outputs = {graph.add_value({with_leading(count, out.shape), out.dtype})};
  Operation parts{Op::unstack, AxisAttrs{0}, whole.outputs, {}, ""};
  for (int i : members) parts.outputs.push_back(graph.operation(i).outputs[0]);
  return {whole, parts};
}

/// Whether no operand that all members share would be broadcast otherwise beside a longer stack.
bool ranks_allow(const Graph& graph, const Matcher& matcher, const Operation& first) {
  const int rank = graph.spec(first.outputs[0]).shape.rank();
  bool any = false;
  for (std::size_t k = 0; k < first.inputs.size(); ++k) {
    if (!reads_elements(first.op, k)) continue;
    const Shape& shape = graph.spec(first.inputs[k]).shape;
    if (shape.has_symbol()) return false;
    if (!matcher.whole(first, k)) continue;
    any = true;
    if (first.op != Op::linear && shape.rank() != rank) return false;
    if (first.op == Op::linear && k != 0) return false;
  }
  return any && rank < kMaxRank;
}

/// Merges the operations alike to operation i, which reads position 0 of a stack.
bool merge_from(Graph& graph, const GraphIndex& index, const Parts& parts, int i) {
  const Operation& first = graph.operation(i);
  if (!may_be_stacked(first)) return false;
  for (std::size_t k = 0; k < first.inputs.size(); ++k) {
    const auto part = parts.find(first.inputs[k]);
    if (part == parts.end() || part->second.place != 0) continue;
    const auto count = static_cast<std::size_t>(graph.spec(part->second.whole).shape[0]);
    const Matcher matcher(graph, parts, count);
    if (count < 2 || !matcher.whole(first, k) || !ranks_allow(graph, matcher, first)) continue;
    std::vector<int> members{i};
    for (int j = 0; j < static_cast<int>(graph.operations.size()); ++j)
      if (members.size() < count && matcher.fits(first, graph.operation(j), members.size()) &&
          std::find(members.begin(), members.end(), j) == members.end()) {
        members.push_back(j);
        j = -1;  // members may stand in any order
      }
    if (members.size() != count || !index.are_independent(members)) continue;
    rewrite(graph, members, stacked(graph, matcher, members));
    return true;
  }
  return false;
}

/// Makes several products with one kernel one, on a stack of their inputs, if they are few rows.
bool stack_inputs(Graph& graph, const GraphIndex& index, const Parts& parts, int i) {
  const Operation first = graph.operation(i);
  const Spec spec = graph.spec(first.inputs[0]);
  if (first.op != Op::linear || parts.contains(first.inputs[0]) || spec.shape.has_symbol() ||
      spec.shape.rank() >= kMaxRank)
    return false;
  std::vector<int> members;
  Operation stack{Op::stack, AxisAttrs{0}, {}, {}, first.scope};
  Operation unstack{Op::unstack, AxisAttrs{0}, {}, {}, first.scope};
  for (int j = i; j < static_cast<int>(graph.operations.size()); ++j) {
    const Operation& other = graph.operation(j);
    const bool alike = other.op == Op::linear && graph.spec(other.inputs[0]) == spec &&
                       std::equal(first.inputs.begin() + 1, first.inputs.end(),
                                  other.inputs.begin() + 1, other.inputs.end());
    if (!alike || parts.contains(other.inputs[0])) continue;
    members.push_back(j);
    stack.inputs.push_back(other.inputs[0]);
    unstack.outputs.push_back(other.outputs[0]);
  }
  const auto count = static_cast<Dim>(members.size());
  const std::int64_t rows = spec.shape.product(0, spec.shape.rank() - 1);
  if (count < 2 || rows * count > kFewRows || !index.are_independent(members)) return false;
  const Spec out = graph.spec(first.outputs[0]);
  Operation whole = first;
  stack.outputs = {graph.add_value({with_leading(count, spec.shape), spec.dtype})};
  whole.inputs[0] = stack.outputs[0];
  whole.outputs = {graph.add_value({with_leading(count, out.shape), out.dtype})};
  unstack.inputs = whole.outputs;
  rewrite(graph, members, {stack, whole, unstack});
  return true;
}

/// A cut into equal parts along the leading axis, or one behind sizes of 1, is an unstacking.
bool unstack_for_split(Graph& graph, int i) {
  const Operation split = graph.operation(i);
  if (split.op != Op::split_like) return false;
  const Spec whole = graph.spec(split.inputs[0]), part = graph.spec(split.outputs[0]);
  const int axis = std::get<AxisAttrs>(split.attrs).axis;
  if (whole.shape.has_symbol() || whole.shape.product(0, axis) != 1 ||
      part.shape.rank() == kMaxRank)
    return false;
  for (Value value : split.outputs)
    if (!(graph.spec(value) == part)) return false;
  const auto count = static_cast<Dim>(split.outputs.size());
  const Spec stack{with_leading(count, part.shape), part.dtype};
  const Value like = graph.add_constant(Tensor::abstract(stack)), stacked = graph.add_value(stack);
  rewrite(graph, std::vector<int>{i},
          {{Op::reshape_like, NoAttrs{}, {split.inputs[0], like}, {stacked}, split.scope},
           {Op::unstack, AxisAttrs{0}, {stacked}, split.outputs, split.scope}});
  return true;
}

/// A join of all parts of a stack behind sizes of 1 is the stack in another shape.
bool reshape_for_concat(Graph& graph, const GraphIndex& index, int i) {
  Operation& concat = graph.operation(i);
  if (concat.op != Op::concat) return false;
  const Operation* parts = index.produced_by(concat.inputs[0], Op::unstack);
  const Spec out = graph.spec(concat.outputs[0]);
  if (parts == nullptr || !on_axis_0(*parts) || parts->outputs != concat.inputs ||
      out.shape.has_symbol() || out.shape.product(0, std::get<AxisAttrs>(concat.attrs).axis) != 1)
    return false;
  const Value whole = parts->inputs[0];
  concat = {Op::reshape_like,
            NoAttrs{},
            {whole, graph.add_constant(Tensor::abstract(out))},
            concat.outputs,
            concat.scope};
  return true;
}

/// The terms of a sum of products a^T b whose sums nobody else reads.
void collect_terms(const Graph& graph, const GraphIndex& index, Value value, std::vector<int>& sums,
                   std::vector<int>& products) {
  const int i = index.producer(value);
  if (i < 0) return;
  const Operation& operation = graph.operation(i);
  if (operation.op == Op::add && (sums.empty() || index.has_one_use(value))) {
    sums.push_back(i);
    for (Value v : operation.inputs) collect_terms(graph, index, v, sums, products);
  } else if (operation.op == Op::matmul && index.has_one_use(value)) {
    products.push_back(i);
  }
}

/// The two stacks a and b if the products are a_i^T b_i, one for each position of both.
std::optional<std::array<Value, 2>> stacks_of(const Graph& graph, const Parts& parts,
                                              const std::vector<int>& products) {
  std::array<Value, 2> wholes = {-1, -1};
  std::vector<bool> seen(products.size());
  for (int p : products) {
    const Operation& product = graph.operation(p);
    if (!(std::get<MatmulAttrs>(product.attrs) == MatmulAttrs{.transpose_a = true})) return {};
    std::array<std::size_t, 2> places;
    for (std::size_t k = 0; k < 2; ++k) {
      const auto part = parts.find(product.inputs[k]);
      if (part == parts.end() || (wholes[k] >= 0 && wholes[k] != part->second.whole)) return {};
      wholes[k] = part->second.whole;
      places[k] = part->second.place;
    }
    if (places[0] != places[1] || places[0] >= seen.size() || seen[places[0]]) return {};
    seen[places[0]] = true;
  }
  for (Value whole : wholes)
    if (graph.spec(whole).shape[0] != static_cast<Dim>(products.size()) ||
        graph.spec(whole).shape.has_symbol())
      return {};
  return wholes;
}

/// A stack as a matrix, all axes but the last merged; the reshaping goes to `added`.
Value as_matrix(Graph& graph, Value stack, std::vector<Operation>& added) {
  const Spec spec = graph.spec(stack);
  const Spec rows{{spec.shape.product(0, spec.shape.rank() - 1), spec.shape.back()}, spec.dtype};
  const Value matrix = graph.add_value(rows);
  const Value like = graph.add_constant(Tensor::abstract(rows));
  added.push_back({Op::reshape_like, NoAttrs{}, {stack, like}, {matrix}, ""});
  return matrix;
}

/// sum of a_i^T b_i over all parts of two stacks -> A^T B: the weight gradient of a shared layer.
bool join_products(Graph& graph, const GraphIndex& index, const Parts& parts, int i) {
  if (graph.operation(i).op != Op::add) return false;
  const Operation sum = graph.operation(i);
  std::vector<int> sums, products;
  collect_terms(graph, index, sum.outputs[0], sums, products);
  if (products.size() < 2 || products.size() != sums.size() + 1) return false;
  const auto stacks = stacks_of(graph, parts, products);
  std::vector<int> removed = sums;
  removed.insert(removed.end(), products.begin(), products.end());
  if (!stacks || !index.can_fuse(removed)) return false;
  std::vector<Operation> added;
  const Value a = as_matrix(graph, (*stacks)[0], added), b = as_matrix(graph, (*stacks)[1], added);
  added.push_back({Op::matmul, MatmulAttrs{.transpose_a = true}, {a, b}, sum.outputs, sum.scope});
  rewrite(graph, removed, std::move(added));
  return true;
}

bool merge_somewhere(Graph& graph) {
  const Parts parts = find_parts(graph);
  return rewrite_somewhere(graph, [&](Graph& g, const GraphIndex& index, int i) {
    return unstack_for_split(g, i) || reshape_for_concat(g, index, i) ||
           merge_from(g, index, parts, i) || stack_inputs(g, index, parts, i) ||
           join_products(g, index, parts, i);
  });
}

}  // namespace

void alike(Graph& graph) {
  while (merge_somewhere(graph)) views(graph);
}

}  // namespace milgrad::passes
