// Graphs: printing, and running op by op.
#include "autograd/graph.h"

#include "tensor/apply.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace milgrad {
namespace {

/// Whether a size is what the trace knew of it: the same, or the multiple of its symbol. Remembers
/// the value of a symbol seen for the first time.
bool agrees(Dim traced, Dim given, std::map<int, Dim>& symbols) {
  if (!is_symbolic(traced) || is_symbolic(given)) return traced == given || is_symbolic(given);
  const std::int64_t multiple = symbol_multiple(traced);
  return given % multiple == 0 &&
         symbols.emplace(symbol_of(traced), given / multiple).first->second == given / multiple;
}

std::string join(const std::vector<Value>& values) {
  std::string text;
  for (Value value : values) text += fmt::format("{}%{}", text.empty() ? "" : ", ", value);
  return text;
}

std::string attributes_of(const Graph::Operation& operation) {
  const std::string attributes = to_string(operation.attrs);
  return attributes.empty() ? "" : " " + attributes;
}

/// Of an external without memory only the shape is read.
const char* kind_of(const Graph::External& external) {
  if (!external.tensor.has_storage()) return "shape";
  return is_constant(external) ? "constant" : "variable";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) result += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  return result + "\"";
}

}  // namespace

void check_arguments(const Graph& graph, std::span<const Tensor> arguments) {
  if (arguments.size() != graph.inputs.size())
    throw ValueError(fmt::format("[graph] got {} arguments; expected {}", arguments.size(),
                                 graph.inputs.size()));
  std::map<int, Dim> symbols;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Spec& spec = graph.spec(graph.inputs[i]);
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

bool is_constant(const Graph::External& external) {
  return external.tensor.has_storage() && !external.tensor.storage()->is_variable();
}

bool is_view(const Graph& graph, const Graph::Operation& operation) {
  const auto alias = definition(operation.op).alias;
  return alias != nullptr && alias(graph.spec(operation.inputs[0]), operation.attrs) != kNoAlias;
}

Value Graph::add_value(const Spec& spec) {
  values.push_back(spec);
  return static_cast<Value>(values.size()) - 1;
}

const Graph::External* Graph::find_external(Value value) const {
  const auto found = std::find_if(externals.begin(), externals.end(),
                                  [&](const External& e) { return e.value == value; });
  return found == externals.end() ? nullptr : &*found;
}

Value Graph::add_constant(const Tensor& constant) {
  const Value value = add_value(constant.spec());
  externals.push_back({value, constant});
  return value;
}

void Graph::replace_uses(Value from, Value to) {
  for (Operation& operation : operations)
    std::replace(operation.inputs.begin(), operation.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

std::string Graph::to_string() const {
  std::string text;
  for (Value value : inputs)
    text += fmt::format("%{} = input  {}\n", value, spec(value).to_string());
  for (const External& external : externals)
    text += fmt::format("%{} = {}  {}\n", external.value, kind_of(external),
                        external.tensor.spec().to_string());
  for (const Operation& operation : operations) {
    std::string types;
    for (Value value : operation.outputs) types += "  " + spec(value).to_string();
    text += fmt::format("{}{}{}({}){}{}{}{}\n", join(operation.outputs),
                        operation.outputs.empty() ? "" : " = ", name_of(operation.op),
                        join(operation.inputs), attributes_of(operation), types,
                        operation.scope.empty() ? "" : "  # ", operation.scope);
  }
  return text + fmt::format("return {}\n", join(outputs));
}

std::string Graph::to_dot() const {
  std::string text = "digraph {\n  node [shape=box]\n";
  const auto node = [&](const std::string& id, const std::string& label, const char* style) {
    text += fmt::format("  {} [label={}{}]\n", id, quoted(label), style);
  };
  std::map<Value, std::string> sources;
  const auto source = [&](Value value, const char* what, const char* style) {
    sources[value] = fmt::format("v{}", value);
    node(sources[value], fmt::format("{} {}", what, spec(value).to_string()), style);
  };
  for (Value value : inputs) source(value, "input", " shape=ellipse");
  for (const External& external : externals)
    source(external.value, kind_of(external), " shape=ellipse");
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    node(fmt::format("n{}", i), name_of(operation.op) + attributes_of(operation), "");
    for (Value value : operation.inputs)
      text += fmt::format("  {} -> n{} [label={}]\n", sources.at(value), i,
                          quoted(spec(value).shape.to_string()));
    for (Value value : operation.outputs) sources[value] = fmt::format("n{}", i);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    node(fmt::format("out{}", i), fmt::format("output {}", i), " shape=ellipse");
    text += fmt::format("  {} -> out{}\n", sources.at(outputs[i]), i);
  }
  return text + "}\n";
}

Tensors Graph::run(const Tensors& arguments) const {
  check_arguments(*this, arguments);
  std::vector<Tensor> known(values.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    known[static_cast<std::size_t>(inputs[i])] = arguments[i];
  for (const External& external : externals)
    known[static_cast<std::size_t>(external.value)] = external.tensor;
  for (const Operation& operation : operations) {
    Tensors operands;
    for (Value value : operation.inputs) operands.push_back(known[static_cast<std::size_t>(value)]);
    Tensors results = apply(operation.op, operation.attrs, operands);
    for (std::size_t i = 0; i < results.size(); ++i)
      known[static_cast<std::size_t>(operation.outputs[i])] = std::move(results[i]);
  }
  Tensors results;
  for (Value value : outputs) results.push_back(known[static_cast<std::size_t>(value)]);
  return results;
}

}  // namespace milgrad
