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
    for (const Tensor& x : inputs) operation.inputs.push_back(value_of(x));
    Tensors results;
    const Device device = inputs.empty() ? Device::cpu() : inputs[0].device();
    for (const Spec& spec : outputs) {
      producers_[static_cast<Value>(graph_.values.size())] = graph_.operations.size();
      results.push_back(add_value(spec, device));
      operation.outputs.push_back(results.back().trace_value().value);
    }
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

  bool overwrites(const Storage& storage) const override {
    const auto found = versions_.find(&storage);
    return found != versions_.end() && found->second > 0;
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
    for (const Tensor& y : outputs) graph_.outputs.push_back(value_of(y));
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
