// The pass chains: connected elementwise operations of one shape, and sums of what they compute,
// become one operation that keeps what lies between them in the cache.
#include "tensor/chain.h"

#include "autograd/graph_index.h"
#include "autograd/passes/pass.h"
#include "tensor/ops/definitions.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace milgrad::passes {
namespace {

// Unconnected operations on so few elements are put together too: a node costs more than they do.
constexpr std::int64_t kTiny = 64;

bool is_logic(Op op) {
  return op == Op::logical_not || op == Op::logical_and || op == Op::logical_or ||
         op == Op::logical_xor;
}

bool is_sum(const Graph::Operation& operation) {
  return operation.op == Op::sum || operation.op == Op::sum_to_like;
}

/// The sum that the operation is, of operand 0 over axes named by attributes.
std::optional<ReduceAttrs> as_sum(const Graph& graph, const Graph::Operation& operation) {
  if (operation.op == Op::sum) return std::get<ReduceAttrs>(operation.attrs);
  if (operation.op != Op::sum_to_like) return std::nullopt;
  const Shape &from = graph.spec(operation.inputs[0]).shape,
              &to = graph.spec(operation.outputs[0]).shape;
  const int shift = from.rank() - to.rank();
  ReduceAttrs sum{.axes = {}, .keep_dims = shift == 0};
  for (int axis = 0; axis < from.rank(); ++axis)
    if (axis < shift || to[axis - shift] != from[axis]) sum.axes.push_back(axis);
  if (!(reduced_shape(from, sum) == to)) return std::nullopt;
  return sum;
}

/// Whether the axes are all in front of the others or all behind them, sizes of 1 aside.
bool at_one_end(const Shape& shape, const Axes& axes) {
  int turns = 0, last = -1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    const int summed = std::find(axes.begin(), axes.end(), axis) != axes.end();
    turns += last >= 0 && summed != last;
    last = summed;
  }
  return turns <= 1;
}

/// What a set of operations has in common.
struct Kind {
  Shape shape;
  std::optional<DType> dtype;  // none: bools alone, which go with any
  std::optional<ReduceAttrs> sum;
};

/// The kind of an operation that can stand in a chain.
std::optional<Kind> kind_of(const Graph& graph, const Graph::Operation& operation) {
  const auto dtype_of_input = [&](std::size_t k) { return graph.spec(operation.inputs[k]).dtype; };
  if (const auto sum = as_sum(graph, operation)) {
    const Spec& from = graph.spec(operation.inputs[0]);
    if (!is_floating(from.dtype) || !at_one_end(from.shape, sum->axes)) return std::nullopt;
    return Kind{from.shape, from.dtype, sum};
  }
  if (!is_elementwise(operation.op)) return std::nullopt;
  Kind kind{graph.spec(operation.outputs[0]).shape, {}, {}};
  if (is_logic(operation.op)) return kind;
  if (operation.op == Op::cast) {
    const DType to = graph.spec(operation.outputs[0]).dtype;
    // To bools from numbers, or to numbers from anything.
    kind.dtype = to == DType::boolean ? dtype_of_input(0) : to;
  } else {
    kind.dtype = dtype_of_input(operation.op == Op::where ? 1 : 0);
  }
  if (!is_floating(*kind.dtype)) return std::nullopt;
  return kind;
}

std::optional<Kind> common_kind(const Kind& a, const Kind& b) {
  if (!(a.shape == b.shape)) return std::nullopt;
  if (a.dtype && b.dtype && *a.dtype != *b.dtype) return std::nullopt;
  if (a.sum && b.sum && !(*a.sum == *b.sum)) return std::nullopt;
  return Kind{a.shape, a.dtype ? a.dtype : b.dtype, a.sum ? a.sum : b.sum};
}

/// Operations that become one chain, in the order of the graph.
struct Group {
  Kind kind;
  std::vector<int> members;
};

/// Whether something outside of these operations (in ascending order) reads the value.
bool leaves(const GraphIndex& index, const std::vector<int>& members, Value value) {
  const auto uses = index.uses(value);
  return index.is_output(value) || std::any_of(uses.begin(), uses.end(), [&](const Use& use) {
           return !std::binary_search(members.begin(), members.end(), use.operation);
         });
}

class Grouping {
 public:
  explicit Grouping(const Graph& graph)
      : graph_(graph), index_(graph), group_of_(graph.operations.size(), -1) {}

  std::vector<Group> run() {
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) add(static_cast<int>(i));
    join_neighbours();
    for (std::size_t i = graph_.operations.size(); i-- > 0;) move_to_reader(static_cast<int>(i));
    std::vector<Group> result;
    for (Group& group : groups_)
      if (group.members.size() > 1) result.push_back(std::move(group));
    return result;
  }

  /// The chain that a group becomes; null if it exceeds what chains can hold.
  std::optional<Graph::Operation> chain_of(const Group& group) const;

 private:
  const Graph::Operation& operation(int i) const { return graph_.operation(i); }
  int& group_of(int i) { return group_of_[static_cast<std::size_t>(i)]; }
  Group& group(int g) { return groups_[static_cast<std::size_t>(g)]; }

  /// Begins a group and joins it with those that make its operands. A sum only joins.
  void add(int i) {
    const auto kind = kind_of(graph_, operation(i));
    if (!kind) return;
    group_of(i) = static_cast<int>(groups_.size());
    groups_.push_back({*kind, {i}});
    for (std::size_t k = 0; k < operation(i).inputs.size(); ++k) {
      const int producer = index_.producer(operation(i).inputs[k]);
      if (producer < 0 || group_of(producer) < 0) continue;
      join(group_of(producer), group_of(i));
    }
    if (kind->sum && group(group_of(i)).members.size() == 1) {
      groups_.pop_back();
      group_of(i) = -1;
    }
  }

  /// Joins groups that read the same value of their shape, and tiny ones in any case.
  void join_neighbours() {
    for (int a = 0; a < static_cast<int>(groups_.size()); ++a)
      for (int b = a + 1; b < static_cast<int>(groups_.size()); ++b) {
        const Group &left = group(a), &right = group(b);
        if (left.members.empty() || right.members.empty()) continue;
        if (!common_kind(left.kind, right.kind)) continue;
        if (is_tiny(left.kind.shape) || share_input(left, right)) join(a, b);
      }
  }

  static bool is_tiny(const Shape& shape) { return !shape.has_symbol() && shape.numel() <= kTiny; }

  bool share_input(const Group& a, const Group& b) const {
    for (int i : a.members)
      for (Value value : operation(i).inputs)
        if (graph_.spec(value).shape == a.kind.shape)
          for (int j : b.members)
            for (Value other : operation(j).inputs)
              if (value == other) return true;
    return false;
  }

  /// The members of the second move to the first if both can be one chain.
  void join(int first, int second) {
    if (first == second) return;
    const auto kind = common_kind(group(first).kind, group(second).kind);
    if (!kind) return;
    Group joined{*kind, {}};
    std::merge(group(first).members.begin(), group(first).members.end(),
               group(second).members.begin(), group(second).members.end(),
               std::back_inserter(joined.members));
    if (comes_back(joined.members, first, second) || !chain_of(joined)) return;
    // A group begun last keeps its number at the end, where add() looks for it.
    const int into = std::max(first, second), from = std::min(first, second);
    for (int i : joined.members) group_of(i) = into;
    group(into) = std::move(joined);
    group(from).members.clear();
  }

  /// An operation that only another group reads is done there where that moves fewer values
  /// through memory: a backward pass finds 1 - y^2 from y by itself.
  void move_to_reader(int i) {
    const int from = group_of(i), to = reader_of(i);
    if (from < 0 || to < 0 || to == from || group(from).members.size() < 2) return;
    const auto kind = common_kind(group(from).kind, group(to).kind);
    if (!kind) return;
    const Group before_from = group(from), before_to = group(to);
    const std::size_t traffic_before = traffic(before_from) + traffic(before_to);
    std::erase(group(from).members, i);
    auto& members = group(to).members;
    members.insert(std::upper_bound(members.begin(), members.end(), i), i);
    group_of(i) = to;
    const bool better = traffic(group(from)) + traffic(group(to)) <= traffic_before;
    const auto is_chain = [&](const Group& g) { return g.members.size() < 2 || chain_of(g); };
    if (better && !comes_back(members, to, to) && is_chain(group(from)) && is_chain(group(to)))
      return;
    group(from) = before_from;
    group(to) = before_to;
    group_of(i) = from;
  }

  /// The one group that reads what an elementwise operation makes; -1 if there are more, or others.
  int reader_of(int i) {
    if (group_of(i) < 0 || is_sum(operation(i))) return -1;
    const Value value = operation(i).outputs[0];
    if (index_.is_output(value) || index_.uses(value).empty()) return -1;
    const int reader = group_of(index_.uses(value)[0].operation);
    for (const Use& use : index_.uses(value))
      if (group_of(use.operation) != reader) return -1;
    return reader;
  }

  /// How many values of its shape a group reads and writes.
  std::size_t traffic(const Group& group) const {
    std::set<Value> values;
    const auto full = [&](Value value) { return graph_.spec(value).shape == group.kind.shape; };
    for (int i : group.members) {
      for (Value value : operation(i).inputs)
        if (const int made = index_.producer(value);
            full(value) &&
            !(made >= 0 && std::binary_search(group.members.begin(), group.members.end(), made)))
          values.insert(value);
      if (const Value value = operation(i).outputs[0];
          full(value) && leaves(index_, group.members, value))
        values.insert(value);
    }
    return values.size();
  }

  /// Whether a path leaves these operations and comes back, where each group is one operation.
  bool comes_back(const std::vector<int>& members, int first, int second) const {
    const auto inside = [&](int i) {
      const int g = group_of_[static_cast<std::size_t>(i)];
      return g == first || g == second;
    };
    std::vector<bool> seen(graph_.operations.size());
    std::vector<int> pending;
    const auto visit = [&](int i) {
      if (!seen[static_cast<std::size_t>(i)]) pending.push_back(i);
      seen[static_cast<std::size_t>(i)] = true;
    };
    for (int i : members)
      for (int before : index_.predecessors(i))
        if (!inside(before)) visit(before);
    while (!pending.empty()) {
      const int i = pending.back();
      pending.pop_back();
      for (int before : index_.predecessors(i)) {
        if (inside(before)) return true;
        visit(before);
      }
      if (const int g = group_of_[static_cast<std::size_t>(i)]; g >= 0)
        for (int other : groups_[static_cast<std::size_t>(g)].members) visit(other);
    }
    return false;
  }

  const Graph& graph_;
  GraphIndex index_;
  std::vector<int> group_of_;
  std::vector<Group> groups_;
};

/// The path of the innermost layer that holds both.
std::string common_scope(const std::string& a, const std::string& b) {
  std::size_t length = 0;
  const auto ends = [](const std::string& path, std::size_t i) {
    return i == path.size() || path[i] == '/';
  };
  for (std::size_t i = 0; i <= a.size() && i <= b.size(); ++i) {
    if (ends(a, i) && ends(b, i)) length = i;
    if (i == a.size() || i == b.size() || a[i] != b[i]) break;
  }
  return a.substr(0, length);
}

/// Translates the members of a group one by one.
class ChainBuilder {
 public:
  ChainBuilder(const Graph& graph, const GraphIndex& index, const Group& group)
      : graph_(graph), index_(index), group_(group) {}

  std::optional<Graph::Operation> build() {
    for (int i : group_.members) made_[operation(i).outputs[0]] = 0;
    for (int i : group_.members) add_inputs(operation(i));
    if (reads_own_sum()) return std::nullopt;
    if (inputs_.empty() || inputs_.size() > Chain::kMaxInputs) return std::nullopt;
    order_inputs();
    parts_.inputs = static_cast<int>(inputs_.size());
    if (group_.kind.sum) parts_.sum = *group_.kind.sum;
    for (int i : group_.members)
      if (!is_sum(operation(i))) add_instruction(operation(i));
    for (int i : group_.members) add_result(i);
    if (parts_.instructions.size() > Chain::kMaxInstructions || parts_.results.empty() ||
        parts_.results.size() > Chain::kMaxResults)
      return std::nullopt;
    return finish();
  }

 private:
  const Graph::Operation& operation(int i) const { return graph_.operation(i); }
  void add_inputs(const Graph::Operation& operation) {
    const std::size_t count = is_sum(operation) ? 1 : operation.inputs.size();
    for (std::size_t k = 0; k < count; ++k)
      if (const Value value = operation.inputs[k];
          !made_.contains(value) &&
          std::find(inputs_.begin(), inputs_.end(), value) == inputs_.end())
        inputs_.push_back(value);
  }

  /// A sum is finished when the last element is: nothing in the chain can read it, and only what
  /// an instruction makes is summed.
  bool reads_own_sum() const {
    return std::any_of(group_.members.begin(), group_.members.end(), [&](int i) {
      const auto& inputs = operation(i).inputs;
      const std::size_t count = is_sum(operation(i)) ? 1 : inputs.size();
      return std::any_of(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(count),
                         [&](Value value) {
                           const int producer = index_.producer(value);
                           const bool own = producer >= 0 && is_member(producer);
                           return own ? is_sum(operation(producer)) : is_sum(operation(i));
                         });
    });
  }

  bool is_member(int i) const {
    return std::binary_search(group_.members.begin(), group_.members.end(), i);
  }

  /// An input that nobody else reads comes first: its memory can take the first result.
  void order_inputs() {
    const auto dies = [&](Value value) {
      return graph_.spec(value) ==
                 Spec{group_.kind.shape, group_.kind.dtype.value_or(DType::boolean)} &&
             index_.producer(value) >= 0 && !leaves(index_, group_.members, value);
    };
    const auto found = std::find_if(inputs_.begin(), inputs_.end(), dies);
    if (found != inputs_.end()) std::rotate(inputs_.begin(), found, found + 1);
    for (std::size_t k = 0; k < inputs_.size(); ++k) made_[inputs_[k]] = static_cast<int>(k);
  }

  void add_instruction(const Graph::Operation& operation) {
    ChainInstruction instruction{operation.op, operation.attrs, {}};
    for (Value value : operation.inputs) instruction.operands.push_back(made_.at(value));
    made_[operation.outputs[0]] = parts_.inputs + static_cast<int>(parts_.instructions.size());
    parts_.instructions.push_back(std::move(instruction));
  }

  void add_result(int i) {
    const Graph::Operation& from = operation(i);
    const Value value = from.outputs[0];
    if (!leaves(index_, group_.members, value)) return;
    const bool summed = is_sum(from);
    const int number = made_.at(summed ? from.inputs[0] : value);
    parts_.results.push_back({number, summed});
    outputs_.push_back(value);
  }

  /// The operation, if the limits of chains allow it and its rule gives what was there before.
  std::optional<Graph::Operation> finish() {
    Graph::Operation result{Op::chain, {}, inputs_, outputs_, operation(group_.members[0]).scope};
    for (int i : group_.members) result.scope = common_scope(result.scope, operation(i).scope);
    try {
      result.attrs = ChainAttrs{std::make_shared<const Chain>(std::move(parts_))};
      std::vector<Spec> specs;
      for (Value value : inputs_) specs.push_back(graph_.spec(value));
      const std::vector<Spec> inferred = definition(Op::chain).infer.value(
          {.op = "chain", .attrs = result.attrs, .inputs = specs});
      for (std::size_t k = 0; k < outputs_.size(); ++k)
        if (!(inferred[k] == graph_.spec(outputs_[k]))) return std::nullopt;
    } catch (const ValueError&) {
      return std::nullopt;
    }
    return result;
  }

  const Graph& graph_;
  const GraphIndex& index_;
  const Group& group_;
  std::map<Value, int> made_;  // numbers in the chain of what its instructions make and read
  std::vector<Value> inputs_, outputs_;
  ChainParts parts_;
};

std::optional<Graph::Operation> Grouping::chain_of(const Group& group) const {
  return ChainBuilder(graph_, index_, group).build();
}

/// Elementwise operations broadcast by themselves: they read what a broadcast reads where that
/// leaves their result as it is.
void read_before_broadcast(Graph& graph) {
  const GraphIndex index(graph);
  for (Graph::Operation& operation : graph.operations) {
    if (!is_elementwise(operation.op) || operation.inputs.size() < 2) continue;
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      const Graph::Operation* from = index.produced_by(operation.inputs[k], Op::broadcast_like);
      if (from == nullptr) from = index.produced_by(operation.inputs[k], Op::broadcast_to);
      if (from == nullptr) continue;
      const Value before = std::exchange(operation.inputs[k], from->inputs[0]);
      Shape shape = graph.spec(operation.inputs[0]).shape;
      for (Value value : operation.inputs)
        shape = broadcast_shapes(name_of(operation.op), shape, graph.spec(value).shape);
      if (!(shape == graph.spec(operation.outputs[0]).shape)) operation.inputs[k] = before;
    }
  }
  remove_dead(graph);
}

}  // namespace

void chains(Graph& graph) {
  read_before_broadcast(graph);
  // Operations by a value that they make, since each rewriting numbers them anew.
  std::vector<std::pair<std::vector<Value>, Graph::Operation>> found;
  {
    Grouping grouping(graph);
    for (const Group& group : grouping.run()) {
      std::vector<Value> made;
      for (int i : group.members) made.push_back(graph.operation(i).outputs[0]);
      found.emplace_back(std::move(made), *grouping.chain_of(group));
    }
  }
  for (auto& [made, chain] : found) {
    const GraphIndex index(graph);
    std::vector<int> removed;
    for (Value value : made) removed.push_back(index.producer(value));
    rewrite(graph, removed, {std::move(chain)});
  }
}

}  // namespace milgrad::passes
