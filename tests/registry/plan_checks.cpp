// A plan played through: each byte of the arena carries a label that says whose byte it is.
#include "tests/registry/plan_checks.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad::test {
namespace {

/// Byte `offset` of what operation wrote as value `value`.
struct Label {
  Value value = -1;
  std::size_t offset = 0;
  bool operator==(const Label&) const = default;
};
using Labels = std::vector<Label>;

struct Stretch {
  std::size_t first = 0;
  std::size_t bytes = 0;
  bool overlaps(const Stretch& other) const {
    return first < other.first + other.bytes && other.first < first + bytes;
  }
  bool operator==(const Stretch&) const = default;
};

std::size_t bytes_of(const Spec& spec) {
  return static_cast<std::size_t>(spec.shape.numel()) * size_of(spec.dtype);
}

class Player {
 public:
  Player(const Graph& graph, const std::vector<Spec>& specs, const Plan& plan)
      : graph_(graph),
        specs_(specs),
        plan_(plan),
        content_(specs.size()),
        arena_(plan.arena_bytes) {
    for (Value v = 0; v < static_cast<Value>(specs.size()); ++v)
      if (place(v).kind == Place::Kind::input || place(v).kind == Place::Kind::external)
        content_of(v) = own_labels(v);
  }

  std::vector<std::string> play() {
    check_blocks();
    for (int i = 0; i < static_cast<int>(graph_.operations.size()); ++i) step(i);
    for (std::size_t k = 0; k < graph_.outputs.size(); ++k)
      expect_held(graph_.outputs[k], fmt::format("output {}", k));
    return failures_;
  }

 private:
  const Place& place(Value v) const { return plan_.places[static_cast<std::size_t>(v)]; }
  const Spec& spec(Value v) const { return specs_[static_cast<std::size_t>(v)]; }
  Labels& content_of(Value v) { return content_[static_cast<std::size_t>(v)]; }
  void fail(const std::string& what) { failures_.push_back("plan: " + what); }

  Labels own_labels(Value v) const {
    Labels labels(bytes_of(spec(v)));
    for (std::size_t b = 0; b < labels.size(); ++b) labels[b] = {v, b};
    return labels;
  }
  Stretch stretch(Value v) const { return {place(v).offset, bytes_of(spec(v))}; }

  void check_blocks() {
    for (std::size_t a = 0; a < plan_.blocks.size(); ++a) {
      const ArenaBlock& x = plan_.blocks[a];
      if (x.offset % kArenaAlignment != 0) fail(fmt::format("block {} is not aligned", a));
      if (x.offset + x.bytes > plan_.arena_bytes) fail(fmt::format("block {} sticks out", a));
      for (std::size_t b = 0; b < a; ++b) {
        const ArenaBlock& y = plan_.blocks[b];
        const bool together = x.first <= y.last && y.first <= x.last;
        if (together && Stretch{x.offset, x.bytes}.overlaps({y.offset, y.bytes}))
          fail(fmt::format("blocks {} and {} share memory at one time", b, a));
      }
    }
  }

  /// The arena holds what the graph says the value consists of.
  void expect_held(Value v, const std::string& reader) {
    if (place(v).kind != Place::Kind::arena) {
      const bool known = place(v).kind != Place::Kind::nowhere;
      if (!known) fail(fmt::format("{} reads %{}, which is never made", reader, v));
      return;
    }
    const Labels& content = content_of(v);
    if (content.size() != bytes_of(spec(v)))
      return fail(fmt::format("{} reads %{}, which nothing has made yet", reader, v));
    const Stretch s = stretch(v);
    if (s.first + s.bytes > arena_.size())
      return fail(fmt::format("%{} sticks out of the arena", v));
    for (std::size_t b = 0; b < s.bytes; ++b)
      if (!(arena_[s.first + b] == content[b]))
        return fail(fmt::format("{} reads %{}, but its byte {} belongs to %{} by then", reader, v,
                                b, arena_[s.first + b].value));
  }

  bool reads(const Graph::Operation& operation, std::size_t k) const {
    return k >= 64 || ((definition(operation.op).shape_only >> k) & 1u) == 0;
  }

  void step(int i) {
    const Graph::Operation& operation = graph_.operation(i);
    if (!plan_.runs[static_cast<std::size_t>(i)]) return pass_on(operation);
    const std::string name = fmt::format("{}, operation {},", name_of(operation.op), i);
    for (std::size_t k = 0; k < operation.inputs.size(); ++k)
      if (reads(operation, k)) expect_held(operation.inputs[k], name);
    const Stretch scratch{plan_.workspace[static_cast<std::size_t>(i)], workspace_of(operation)};
    check_apart(operation, scratch, name);
    write(scratch, Labels(scratch.bytes), name);
    for (Value v : operation.outputs) {
      content_of(v) = own_labels(v);
      if (place(v).kind != Place::Kind::arena)
        fail(fmt::format("{} writes %{}, which has no place", name, v));
      else
        write(stretch(v), content_of(v), name);
    }
  }

  std::size_t workspace_of(const Graph::Operation& operation) const {
    const OpDef& def = definition(operation.op);
    std::vector<Spec> inputs;
    for (Value v : operation.inputs) inputs.push_back(spec(v));
    return def.workspace == nullptr ? 0 : def.workspace(inputs, operation.attrs);
  }

  void write(const Stretch& s, const Labels& labels, const std::string& name) {
    if (s.first + s.bytes > arena_.size()) return fail(name + " writes outside of the arena");
    std::copy(labels.begin(), labels.end(), arena_.begin() + static_cast<std::ptrdiff_t>(s.first));
  }

  void check_apart(const Graph::Operation& operation, const Stretch& scratch,
                   const std::string& name) {
    std::vector<Stretch> written{scratch};
    for (Value v : operation.outputs) written.push_back(stretch(v));
    for (std::size_t a = 0; a < written.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (written[a].bytes > 0 && written[b].bytes > 0 && written[a].overlaps(written[b]))
          fail(name + " writes two things in one place");
    for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
      const Value v = operation.inputs[k];
      if (!reads(operation, k) || place(v).kind != Place::Kind::arena) continue;
      const bool first = k == 0 && definition(operation.op).in_place;
      for (std::size_t w = 0; w < written.size(); ++w) {
        const bool in_place = first && w == 1 && written[w] == stretch(v);
        if (!in_place && written[w].bytes > 0 && written[w].overlaps(stretch(v)))
          fail(fmt::format("{} writes over its operand {} while it reads it", name, k));
      }
    }
  }

  /// An operation whose kernel is not called: its results are what lies there already.
  void pass_on(const Graph::Operation& operation) {
    const OpDef& def = definition(operation.op);
    if (def.mutates != 0) fail(fmt::format("{} has effects and does not run", def.name.value));
    Labels joined;
    if (is_view_here(operation)) {
      const Labels& whole = content_of(operation.inputs[0]);
      const std::size_t offset = def.alias(spec(operation.inputs[0]), operation.attrs);
      if (offset <= whole.size())
        joined.assign(whole.begin() + static_cast<std::ptrdiff_t>(offset), whole.end());
    } else if (operation.op == Op::concat || operation.op == Op::stack) {
      const int axis = std::get<AxisAttrs>(operation.attrs).axis;
      if (spec(operation.outputs[0]).shape.product(0, axis) != 1) return;
      for (Value v : operation.inputs)
        joined.insert(joined.end(), content_of(v).begin(), content_of(v).end());
    }
    std::size_t offset = 0;
    for (Value v : operation.outputs) {
      const std::size_t bytes = bytes_of(spec(v));
      if (offset + bytes <= joined.size())
        content_of(v).assign(joined.begin() + static_cast<std::ptrdiff_t>(offset),
                             joined.begin() + static_cast<std::ptrdiff_t>(offset + bytes));
      offset += bytes;
    }
  }

  bool is_view_here(const Graph::Operation& operation) const {
    const OpDef& def = definition(operation.op);
    return def.alias != nullptr &&
           def.alias(spec(operation.inputs[0]), operation.attrs) != kNoAlias;
  }

  const Graph& graph_;
  const std::vector<Spec>& specs_;
  const Plan& plan_;
  std::vector<Labels> content_;  // per value, by byte
  Labels arena_;
  std::vector<std::string> failures_;
};

}  // namespace

std::vector<std::string> check_plan(const Graph& graph, const std::vector<Spec>& specs,
                                    const Plan& plan) {
  return Player(graph, specs, plan).play();
}

}  // namespace milgrad::test
