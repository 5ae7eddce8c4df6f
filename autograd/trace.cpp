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
      producers_[static_cast<std::int64_t>(graph_.values.size())] = graph_.operations.size();
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
  std::int64_t value_of(const Tensor& x) {
    if (x.trace_value().trace == id_) return x.trace_value().value;
    if (!x.has_storage()) return shape_only(x);
    const Key key{x.storage().get(), x.raw_data(), versions_[x.storage().get()],
                  x.spec().to_string()};
    const auto [found, fresh] = externals_.emplace(key, graph_.values.size());
    if (fresh) {
      graph_.values.push_back(x.spec());
      graph_.externals.push_back({found->second, x.stop_gradient()});
    }
    return found->second;
  }

  Graph finish(const Tensors& outputs) {
    for (const Tensor& y : outputs) graph_.outputs.push_back(value_of(y));
    return std::move(graph_);
  }

 private:
  using Key = std::tuple<const Storage*, const std::byte*, std::uint64_t, std::string>;

  /// A tensor from outside that a gradient rule remembers without its elements.
  std::int64_t shape_only(const Tensor& x) {
    const std::int64_t value = add_value(x.spec(), x.device()).trace_value().value;
    graph_.externals.push_back({value, Tensor::abstract(x.spec(), x.device())});
    return value;
  }

  Tensor add_value(const Spec& spec, Device device) {
    graph_.values.push_back(spec);
    const auto value = static_cast<std::int64_t>(graph_.values.size()) - 1;
    return Tensor::abstract(spec, device).with_trace({id_, value});
  }

  std::uint64_t id_ = next_trace();
  Graph graph_;
  std::map<Key, std::int64_t> externals_;
  std::map<const Storage*, std::uint64_t> versions_;
  std::map<std::int64_t, std::size_t> producers_;
};

/// Whether a size is what the trace knew of it: the same, or the multiple of its symbol. Remembers
/// the value of a symbol seen for the first time.
bool agrees(Dim traced, Dim given, std::map<int, Dim>& symbols) {
  if (!is_symbolic(traced) || is_symbolic(given)) return traced == given || is_symbolic(given);
  const std::int64_t multiple = symbol_multiple(traced);
  return given % multiple == 0 &&
         symbols.emplace(symbol_of(traced), given / multiple).first->second == given / multiple;
}

/// Throws unless the arguments are what the graph was traced for.
void check_arguments(const Graph& graph, const Tensors& arguments) {
  std::map<int, Dim> symbols;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Spec& spec = graph.values[static_cast<std::size_t>(graph.inputs[i])];
    const auto refuse = [&](const std::string& what) {
      throw ShapeError(
          fmt::format("[graph] argument {} is {}; it was traced for {}", i, what, spec.to_string()),
          "sizes of one symbol are equal; trace() again for other shapes and dtypes");
    };
    if (!arguments[i].defined()) refuse("undefined");
    const Spec& given = arguments[i].spec();
    bool fits = given.dtype == spec.dtype && given.shape.rank() == spec.shape.rank();
    for (int axis = 0; fits && axis < spec.shape.rank(); ++axis)
      fits = agrees(spec.shape[axis], given.shape[axis], symbols);
    if (!fits) refuse(given.to_string());
  }
}

std::string join(const std::vector<std::int64_t>& values) {
  std::string text;
  for (std::int64_t value : values) text += fmt::format("{}%{}", text.empty() ? "" : ", ", value);
  return text;
}

}  // namespace

std::string Graph::to_string() const {
  std::string text;
  for (std::int64_t value : inputs)
    text += fmt::format("%{} = input  {}\n", value,
                        values[static_cast<std::size_t>(value)].to_string());
  for (const External& external : externals)
    text += fmt::format("%{} = external  {}\n", external.value, external.tensor.spec().to_string());
  for (const Operation& operation : operations) {
    const std::string attributes = milgrad::to_string(operation.attrs);
    std::string types;
    for (std::int64_t value : operation.outputs)
      types += "  " + values[static_cast<std::size_t>(value)].to_string();
    text += fmt::format("{}{}{}({}){}{}{}{}{}\n", join(operation.outputs),
                        operation.outputs.empty() ? "" : " = ", name_of(operation.op),
                        join(operation.inputs), attributes.empty() ? "" : " ", attributes, types,
                        operation.scope.empty() ? "" : "  # ", operation.scope);
  }
  return text + fmt::format("return {}\n", join(outputs));
}

Tensors Graph::run(const Tensors& arguments) const {
  if (arguments.size() != inputs.size())
    throw ValueError(
        fmt::format("[graph] got {} arguments; expected {}", arguments.size(), inputs.size()));
  check_arguments(*this, arguments);
  std::vector<Tensor> known(values.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    known[static_cast<std::size_t>(inputs[i])] = arguments[i];
  for (const External& external : externals)
    known[static_cast<std::size_t>(external.value)] = external.tensor;
  for (const Operation& operation : operations) {
    Tensors operands;
    for (std::int64_t value : operation.inputs)
      operands.push_back(known[static_cast<std::size_t>(value)]);
    Tensors results = apply(operation.op, operation.attrs, operands);
    for (std::size_t i = 0; i < results.size(); ++i)
      known[static_cast<std::size_t>(operation.outputs[i])] = std::move(results[i]);
  }
  Tensors results;
  for (std::int64_t value : outputs) results.push_back(known[static_cast<std::size_t>(value)]);
  return results;
}

Graph trace(const std::function<Tensors(const Tensors&)>& f, const std::vector<Spec>& inputs) {
  Tracer tracer;
  const RecorderScope scope(&tracer);
  Tensors arguments;
  for (const Spec& spec : inputs) arguments.push_back(tracer.input(spec));
  const Tensors results = f(arguments);
  return tracer.finish(results);
}

}  // namespace milgrad
