// Liveness, sharing and placing of values.
#include "autograd/plan.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace milgrad {
namespace {

constexpr int kNever = -1;

std::size_t bytes_of(const Spec& spec) {
  return static_cast<std::size_t>(spec.shape.numel()) * size_of(spec.dtype);
}

bool only_shape(const OpDef& def, std::size_t operand) {
  return operand < 64 && ((def.shape_only >> operand) & 1u) != 0;
}

/// The product of the sizes in front of an axis.
std::int64_t leading(const Shape& shape, int axis) { return shape.product(0, axis); }

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<Spec>& specs, const PlanOptions& options)
      : graph_(graph), specs_(specs), options_(options), memory_(graph.values.size()) {
    plan_.places.resize(graph.values.size());
    plan_.runs.resize(graph.operations.size());
    plan_.workspace.resize(graph.operations.size());
  }

  Plan run() {
    find_needed();
    find_views();
    find_lives();
    if (options_.side_by_side)
      for (std::size_t i = 0; i < graph_.operations.size(); ++i) lay_side_by_side(i);
    if (options_.in_place)
      for (std::size_t i = 0; i < graph_.operations.size(); ++i) reuse_operand(i);
    place_blocks();
    return std::move(plan_);
  }

 private:
  /// The memory behind a value: its own, or a part of another value's.
  struct Memory {
    Value within = kNever;  // the value whose memory this one lies in
    std::size_t offset = 0;
    bool fixed = false;  // an input or external: not in the arena
    int first = kNever;
    int last = kNever;
    std::size_t bytes = 0;
  };

  Memory& memory(Value value) { return memory_[static_cast<std::size_t>(value)]; }
  const Spec& spec(Value value) const { return specs_[static_cast<std::size_t>(value)]; }
  const Graph::Operation& operation(std::size_t i) const { return graph_.operations[i]; }

  /// The value that owns the memory, and how far into it this one lies.
  std::pair<Value, std::size_t> owner(Value value) {
    std::size_t offset = 0;
    while (memory(value).within != kNever) {
      offset += memory(value).offset;
      value = memory(value).within;
    }
    return {value, offset};
  }

  void find_needed() {
    std::vector<bool> read(graph_.values.size());
    for (Value value : graph_.outputs) read[static_cast<std::size_t>(value)] = true;
    for (std::size_t i = graph_.operations.size(); i-- > 0;) {
      const OpDef& def = definition(operation(i).op);
      const auto& outputs = operation(i).outputs;
      plan_.runs[i] = def.mutates != 0 || std::any_of(outputs.begin(), outputs.end(), [&](Value v) {
                        return read[static_cast<std::size_t>(v)];
                      });
      if (!plan_.runs[i]) continue;
      for (std::size_t k = 0; k < operation(i).inputs.size(); ++k)
        if (!only_shape(def, k)) read[static_cast<std::size_t>(operation(i).inputs[k])] = true;
    }
  }

  void find_views() {
    for (Value value : graph_.inputs) memory(value).fixed = true;
    for (const Graph::External& external : graph_.externals) memory(external.value).fixed = true;
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) {
      if (!plan_.runs[i]) continue;
      const OpDef& def = definition(operation(i).op);
      std::size_t offset = def.alias == nullptr
                               ? kNoAlias
                               : def.alias(spec(operation(i).inputs[0]), operation(i).attrs);
      plan_.runs[i] = offset == kNoAlias;
      for (Value value : operation(i).outputs) {
        memory(value).bytes = bytes_of(spec(value));
        if (offset == kNoAlias) {
          memory(value).first = static_cast<int>(i);
          plan_.tensor_bytes += bytes_of(spec(value));
          continue;
        }
        memory(value).within = operation(i).inputs[0];
        memory(value).offset = offset;
        offset += bytes_of(spec(value));
      }
    }
  }

  void find_lives() {
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) {
      for (Value value : operation(i).outputs) extend(value, static_cast<int>(i));
      if (!plan_.runs[i]) continue;
      const OpDef& def = definition(operation(i).op);
      for (std::size_t k = 0; k < operation(i).inputs.size(); ++k)
        if (!only_shape(def, k)) extend(operation(i).inputs[k], static_cast<int>(i));
    }
    for (Value value : graph_.outputs) extend(value, static_cast<int>(graph_.operations.size()));
  }

  void extend(Value value, int last) {
    Memory& whole = memory(owner(value).first);
    whole.last = std::max(whole.last, last);
  }

  bool owns(Value value) {
    return memory(value).within == kNever && !memory(value).fixed && memory(value).first != kNever;
  }

  /// Makes `value` a part of the memory of `whole`, which then lives as long as both.
  void move_into(Value value, Value whole, std::size_t offset) {
    const Memory moved = memory(value);
    memory(value).within = whole;
    memory(value).offset = offset;
    Memory& target = memory(owner(whole).first);
    target.first = std::min(target.first, moved.first);
    target.last = std::max(target.last, moved.last);
  }

  /// Lets the operands of a concat or stack be made where they would be copied to.
  void lay_side_by_side(std::size_t i) {
    const Graph::Operation& op = operation(i);
    if (!plan_.runs[i] || (op.op != Op::concat && op.op != Op::stack)) return;
    const int axis = std::get<AxisAttrs>(op.attrs).axis;
    const Value whole = op.outputs[0];
    if (leading(spec(whole).shape, axis) != 1) return;
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      if (!owns(op.inputs[k])) return;
      for (std::size_t j = 0; j < k; ++j)
        if (op.inputs[j] == op.inputs[k]) return;
    }
    std::size_t offset = 0;
    for (Value value : op.inputs) {
      move_into(value, whole, offset);
      offset += bytes_of(spec(value));
    }
    plan_.runs[i] = false;
  }

  /// Lets an operation write over its first operand if it is the last to read it.
  void reuse_operand(std::size_t i) {
    const Graph::Operation& op = operation(i);
    if (!plan_.runs[i] || !definition(op.op).in_place || op.inputs.empty()) return;
    const Value input = op.inputs[0], output = op.outputs[0];
    const Value whole = owner(input).first;
    if (!owns(output) || memory(whole).fixed || memory(whole).last != static_cast<int>(i)) return;
    if (!(spec(input) == spec(output)) || memory(whole).first == static_cast<int>(i)) return;
    for (std::size_t k = 1; k < op.inputs.size(); ++k)
      if (owner(op.inputs[k]).first == whole) return;
    move_into(output, input, 0);
  }

  void place_blocks() {
    std::vector<Value> owners;
    std::vector<std::size_t> scratch(graph_.operations.size());
    for (Value v = 0; v < static_cast<Value>(memory_.size()); ++v)
      if (owns(v)) {
        add_block(memory(v).bytes, memory(v).first, memory(v).last);
        owners.push_back(v);
      }
    const std::size_t values = plan_.blocks.size();
    std::vector<std::size_t> with_workspace;
    for (std::size_t i = 0; i < graph_.operations.size(); ++i)
      if (const std::size_t bytes = plan_.runs[i] ? workspace_of(i) : 0; bytes > 0) {
        add_block(bytes, static_cast<int>(i), static_cast<int>(i));
        with_workspace.push_back(i);
      }
    assign_offsets();
    for (std::size_t b = 0; b < values; ++b) memory(owners[b]).offset = plan_.blocks[b].offset;
    for (std::size_t b = values; b < plan_.blocks.size(); ++b)
      plan_.workspace[with_workspace[b - values]] = plan_.blocks[b].offset;
    for (Value v = 0; v < static_cast<Value>(memory_.size()); ++v) set_place(v);
  }

  std::size_t workspace_of(std::size_t i) {
    const OpDef& def = definition(operation(i).op);
    if (def.workspace == nullptr) return 0;
    std::vector<Spec> inputs;
    for (Value value : operation(i).inputs) inputs.push_back(spec(value));
    return def.workspace(inputs, operation(i).attrs);
  }

  void add_block(std::size_t bytes, int first, int last) {
    const std::size_t whole =
        (std::max<std::size_t>(bytes, 1) + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    plan_.blocks.push_back({.bytes = whole, .first = first, .last = last});
  }

  /// Large blocks first, each at the lowest offset that is free during its life.
  void assign_offsets() {
    std::vector<std::size_t> by_size(plan_.blocks.size());
    std::iota(by_size.begin(), by_size.end(), 0);
    std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) {
      return plan_.blocks[a].bytes > plan_.blocks[b].bytes;
    });
    std::vector<const ArenaBlock*> placed;  // by offset
    for (std::size_t b : by_size) {
      ArenaBlock& block = plan_.blocks[b];
      for (const ArenaBlock* other : placed) {
        const bool together =
            !options_.reuse || (other->first <= block.last && block.first <= other->last);
        if (!together || other->offset + other->bytes <= block.offset) continue;
        if (other->offset >= block.offset + block.bytes) break;
        block.offset = other->offset + other->bytes;
      }
      placed.insert(std::upper_bound(placed.begin(), placed.end(), &block,
                                     [](const ArenaBlock* x, const ArenaBlock* y) {
                                       return x->offset < y->offset;
                                     }),
                    &block);
      plan_.arena_bytes = std::max(plan_.arena_bytes, block.offset + block.bytes);
    }
  }

  void set_place(Value value) {
    Place& place = plan_.places[static_cast<std::size_t>(value)];
    const auto [whole, offset] = owner(value);
    if (owns(whole)) {
      place = {Place::Kind::arena, 0, memory(whole).offset + offset};
      return;
    }
    if (!memory(whole).fixed) return;
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i)
      if (graph_.inputs[i] == whole) place = {Place::Kind::input, static_cast<int>(i), offset};
    for (std::size_t i = 0; i < graph_.externals.size(); ++i)
      if (graph_.externals[i].value == whole && graph_.externals[i].tensor.has_storage())
        place = {Place::Kind::external, static_cast<int>(i), offset};
  }

  const Graph& graph_;
  const std::vector<Spec>& specs_;
  const PlanOptions& options_;
  Plan plan_;
  std::vector<Memory> memory_;
};

}  // namespace

std::string Plan::to_string() const {
  return fmt::format("arena {} bytes for {} bytes of tensors, {} of {} operations run", arena_bytes,
                     tensor_bytes, std::count(runs.begin(), runs.end(), true), runs.size());
}

Plan plan_memory(const Graph& graph, const std::vector<Spec>& specs, const PlanOptions& options) {
  return Planner(graph, specs, options).run();
}

}  // namespace milgrad
