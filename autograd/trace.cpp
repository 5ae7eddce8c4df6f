// The tracer: a recorder that appends operations to a graph.
#include "autograd/trace.h"

#include "tensor/apply.h"
#include "tensor/mode.h"

#include <atomic>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace milgrad {
namespace {

std::uint64_t next_trace() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1) + 1;
}

class Tracer : public Recorder {
 public:
  ~Tracer() override {
    if (!finished_) remember();
  }

  std::uint64_t id() const override { return id_; }

  Tensor input(const Spec& spec) {
    const Tensor x = add_value(spec, Device::cpu());
    graph_.inputs.push_back(x.trace_value().value);
    return x;
  }

  Tensors record(Op op, const Attrs& attrs, std::span<const Tensor> inputs,
                 std::span<const Spec> outputs) override {
    Graph::Operation operation{op, attrs, {}, {}, current_scope()};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool shape_only = i < 64 && ((definition(op).shape_only >> i) & 1u) != 0;
      if (!shape_only) check_view(name_of(op), inputs[i]);
      operation.inputs.push_back(value_of(inputs[i]));
    }
    Tensors results;
    const Device device = inputs.empty() ? Device::cpu() : inputs[0].device();
    for (const Spec& spec : outputs) {
      producers_[static_cast<Value>(graph_.values.size())] = graph_.operations.size();
      results.push_back(add_value(spec, device));
      operation.outputs.push_back(results.back().trace_value().value);
    }
    remember_view(operation, inputs);
    graph_.operations.push_back(std::move(operation));
    const std::uint64_t mutates = definition(op).mutates;
    for (std::size_t i = 0; i < inputs.size() && i < 64; ++i)
      if ((mutates >> i) & 1u) ++versions_[inputs[i].storage().get()];
    return results;
  }

  std::string describe(std::int64_t value) const override {
    const auto found = producers_.find(value);
    if (found == producers_.end()) return fmt::format("input %{} of the trace", value);
    const Graph::Operation& operation = graph_.operations[found->second];
    return fmt::format("{}, node {}{}{}", name_of(operation.op), found->second,
                       operation.scope.empty() ? "" : ", layer ", operation.scope);
  }

  std::uint64_t overwritten(const Storage& storage) const override {
    const auto found = versions_.find(&storage);
    return found == versions_.end() ? 0 : found->second;
  }

  /// The value number of a tensor; one from outside becomes an external value. A variable that an
  /// earlier operation of this trace overwrites is a new value from there on.
  Value value_of(const Tensor& x) {
    if (x.trace_value().trace == id_) return x.trace_value().value;
    if (!x.has_storage()) return shape_only(x);
    const Key key{x.storage().get(), x.raw_data(), versions_[x.storage().get()],
                  x.spec().to_string()};
    const auto [found, fresh] = externals_.emplace(key, graph_.values.size());
    if (fresh) {
      graph_.values.push_back(x.spec());
      graph_.externals.push_back({found->second, x.stop_gradient(), versions_[x.storage().get()]});
    }
    return found->second;
  }

  Graph finish(const Tensors& outputs) {
    for (const Tensor& y : outputs) {
      check_view("trace", y);
      graph_.outputs.push_back(value_of(y));
    }
    remember();
    finished_ = true;
    return std::move(graph_);
  }

 private:
  using Key = std::tuple<const Storage*, const std::byte*, std::uint64_t, std::string>;

  void remember() const {
    std::vector<std::string> descriptions;
    for (Value value = 0; value < static_cast<Value>(graph_.values.size()); ++value)
      descriptions.push_back(describe(value));
    remember_trace(id_, std::move(descriptions));
  }

  /// A variable's memory as an operation of this trace looked into it.
  struct Look {
    const Storage* storage;
    std::uint64_t version;
  };

  /// Views of variables are found again by their values.
  void remember_view(const Graph::Operation& operation, std::span<const Tensor> inputs) {
    if (inputs.empty()) return;
    const auto outer = views_.find(operation.inputs[0]);
    const bool of_variable = inputs[0].has_storage() && inputs[0].storage()->is_variable();
    if ((!of_variable && outer == views_.end()) || !is_view(graph_, operation)) return;
    const Storage* storage = of_variable ? inputs[0].storage().get() : outer->second.storage;
    for (Value value : operation.outputs) views_[value] = {storage, versions_[storage]};
  }

  /// Computed at once, a view of a variable shows what was assigned since; a program, whose order
  /// is its own, could show either.
  void check_view(const char* reader, const Tensor& x) const {
    if (x.trace_value().trace != id_) return;
    const auto view = views_.find(x.trace_value().value);
    if (view == views_.end() || overwritten(*view->second.storage) == view->second.version) return;
    throw TraceError(
        fmt::format("[{}] a view of a variable is read after the variable was overwritten: {} ({})",
                    reader, x.spec().to_string(), describe(x.trace_value().value)),
        "copy() the view before, or take it again from the variable afterwards");
  }

  /// A tensor from outside that a gradient rule remembers without its elements.
  Value shape_only(const Tensor& x) {
    const Value value = add_value(x.spec(), x.device()).trace_value().value;
    graph_.externals.push_back({value, Tensor::abstract(x.spec(), x.device())});
    return value;
  }

  Tensor add_value(const Spec& spec, Device device) {
    const Value value = graph_.add_value(spec);
    return Tensor::abstract(spec, device).with_trace({id_, value});
  }

  std::uint64_t id_ = next_trace();
  Graph graph_;
  std::map<Key, Value> externals_;
  std::map<const Storage*, std::uint64_t> versions_;
  std::map<Value, std::size_t> producers_;
  bool finished_ = false;
  std::map<Value, Look> views_;
};

}  // namespace

Graph trace(const std::function<Tensors(const Tensors&)>& f, const std::vector<Spec>& inputs) {
  Tracer tracer;
  const RecorderScope scope(&tracer);
  Tensors arguments;
  for (const Spec& spec : inputs) arguments.push_back(tracer.input(spec));
  const Tensors results = f(arguments);
  return tracer.finish(results);
}

}  // namespace milgrad
