// Binding a graph to shapes and memory, and the replay.
#include "autograd/program.h"

#include "backends/kernel_table.h"
#include "tensor/apply.h"
#include "tensor/log.h"
#include "tensor/mode.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad {
namespace {

constexpr std::size_t kBindings = 16;  // shapes remembered by one program

/// Shapes and dtypes of all values, by the rules of the operations.
std::vector<Spec> infer_all(const Graph& graph, std::span<const Tensor> arguments) {
  std::vector<Spec> specs = graph.values;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    specs[static_cast<std::size_t>(graph.inputs[i])] = arguments[i].spec();
  std::vector<Spec> inputs;
  for (const Graph::Operation& operation : graph.operations) {
    inputs.clear();
    for (Value value : operation.inputs) inputs.push_back(specs[static_cast<std::size_t>(value)]);
    const OpDef& def = definition(operation.op);
    const std::vector<Spec> outputs =
        def.infer.value({.op = def.name.value, .attrs = operation.attrs, .inputs = inputs});
    for (std::size_t k = 0; k < outputs.size(); ++k)
      specs[static_cast<std::size_t>(operation.outputs[k])] = outputs[k];
  }
  return specs;
}

/// Whether an argument has elements that a replay does not overwrite before it reads them.
bool is_readable(const Tensor& argument, const Tensor& arena) {
  return argument.has_storage() && argument.storage() != arena.storage();
}

}  // namespace

/// A program for certain shapes: kernels and the views they get.
struct Program::Binding {
  struct Bound {
    Kernel kernel;
    Call call;
  };
  /// A view into an argument, which may lie elsewhere at the next replay.
  struct Patch {
    View* view;
    int argument;
    std::size_t offset;
  };

  std::vector<Spec> arguments;
  std::vector<Spec> specs;
  Plan plan;
  Tensor arena;  // the program's, so that all shapes share one
  std::vector<View> views;
  std::vector<Bound> bound;
  std::vector<int> calls;
  std::vector<Patch> patches;
  std::vector<Storage*> mutated;
  Tensors outputs;
  std::vector<int> output_arguments;  // per output: the argument it lies in, or -1

  Binding(const Graph& graph, std::span<const Tensor> given, const PlanOptions& options)
      : arguments(specs_of(given)),
        specs(infer_all(graph, given)),
        plan(plan_memory(graph, specs, options)) {}

  void attach(const Graph& graph, const Tensor& memory) {
    arena = memory;
    bind_calls(graph);
    bind_outputs(graph);
    for (const Graph::Operation& operation : graph.operations)
      for (std::size_t k = 0; k < operation.inputs.size() && k < 64; ++k)
        if ((definition(operation.op).mutates >> k) & 1u)
          if (const auto* external = graph.find_external(operation.inputs[k]))
            mutated.push_back(external->tensor.storage().get());
  }

  const Spec& spec(Value value) const { return specs[static_cast<std::size_t>(value)]; }
  const Place& place(Value value) const { return plan.places[static_cast<std::size_t>(value)]; }

  std::byte* address(const Graph& graph, Value value) const {
    const Place& p = place(value);
    switch (p.kind) {
      case Place::Kind::arena:
        return arena.raw_data() + p.offset;
      case Place::Kind::external:
        return graph.externals[static_cast<std::size_t>(p.index)].tensor.raw_data() + p.offset;
      case Place::Kind::input:
      case Place::Kind::nowhere:
        break;
    }
    return nullptr;
  }

  void bind_calls(const Graph& graph) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < graph.operations.size(); ++i)
      if (plan.runs[i])
        count += graph.operations[i].inputs.size() + graph.operations[i].outputs.size();
    views.reserve(count);  // calls point into it
    for (std::size_t i = 0; i < graph.operations.size(); ++i) {
      if (!plan.runs[i]) continue;
      const Graph::Operation& operation = graph.operations[i];
      const std::size_t first = views.size();
      for (Value value : operation.inputs) add_view(graph, value);
      for (Value value : operation.outputs) add_view(graph, value);
      const std::span<const View> all(views.data() + first, views.size() - first);
      bound.push_back({find_kernel(operation.op, Device::cpu()),
                       Call{.inputs = all.first(operation.inputs.size()),
                            .outputs = all.subspan(operation.inputs.size()),
                            .attrs = operation.attrs,
                            .workspace = arena.raw_data() + plan.workspace[i]}});
      calls.push_back(static_cast<int>(i));
    }
  }

  void add_view(const Graph& graph, Value value) {
    const Spec& s = spec(value);
    views.push_back({address(graph, value), s.shape, s.dtype, s.shape.numel()});
    const Place& p = place(value);
    if (p.kind == Place::Kind::input) patches.push_back({&views.back(), p.index, p.offset});
  }

  void bind_outputs(const Graph& graph) {
    for (Value value : graph.outputs) {
      const Place& p = place(value);
      output_arguments.push_back(p.kind == Place::Kind::input ? p.index : -1);
      if (p.kind == Place::Kind::arena)
        outputs.push_back(Tensor::alias(arena, spec(value), p.offset));
      else if (p.kind == Place::Kind::external)
        outputs.push_back(Tensor::alias(graph.externals[static_cast<std::size_t>(p.index)].tensor,
                                        spec(value), p.offset));
      else
        outputs.emplace_back();
    }
  }

  bool fits(std::span<const Tensor> given) const {
    for (std::size_t i = 0; i < given.size(); ++i)
      if (!given[i].defined() || !(given[i].spec() == arguments[i]) ||
          !is_readable(given[i], arena))
        return false;
    return true;
  }

  void point_to(const Graph& graph, std::span<const Tensor> given) {
    for (const Patch& patch : patches)
      patch.view->data = given[static_cast<std::size_t>(patch.argument)].raw_data() + patch.offset;
    for (std::size_t k = 0; k < outputs.size(); ++k)
      if (output_arguments[k] >= 0)
        outputs[k] = Tensor::alias(given[static_cast<std::size_t>(output_arguments[k])],
                                   spec(graph.outputs[k]), place(graph.outputs[k]).offset);
  }

  void run(ReplayObserver* observer) {
    if (observer == nullptr) {
      for (const Bound& b : bound) b.kernel(b.call);
    } else {
      for (std::size_t i = 0; i < bound.size(); ++i) {
        observer->before(i);
        bound[i].kernel(bound[i].call);
        observer->after(i);
      }
    }
    for (Storage* storage : mutated) storage->bump_version();
  }
};

Program::Program(Graph graph, const ProgramOptions& options)
    : graph_(std::move(graph)), plan_options_(options.plan) {
  run_passes(graph_, options.passes);
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;

Program::Binding& Program::bind(std::span<const Tensor> arguments) {
  if (!bindings_.empty() && arguments.size() == graph_.inputs.size()) {
    if (bindings_[0]->fits(arguments)) return *bindings_[0];
    for (std::size_t i = 1; i < bindings_.size(); ++i)
      if (bindings_[i]->fits(arguments)) {
        std::rotate(bindings_.begin(), bindings_.begin() + static_cast<std::ptrdiff_t>(i),
                    bindings_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        return *bindings_[0];
      }
  }
  check_arguments(graph_, arguments);
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (!arguments[i].has_storage())
      throw TraceError(fmt::format("[program] argument {} ({}) has no elements", i,
                                   arguments[i].spec().to_string()),
                       "a traced tensor is known in its trace only");
    else if (arena_.defined() && !is_readable(arguments[i], arena_))
      throw ValueError(
          fmt::format("[program] argument {} ({}) is an output that the replay overwrites", i,
                      arguments[i].spec().to_string()),
          "copy() the outputs of replay() that go back into the same program");
  auto binding = std::make_unique<Binding>(graph_, arguments, plan_options_);
  if (log_wanted("plan")) log_line("plan", binding->plan.to_string());
  const std::size_t held = arena_.defined() ? static_cast<std::size_t>(arena_.numel()) : 0;
  if (!arena_.defined() || held < binding->plan.arena_bytes) {
    const std::size_t bytes = std::max(binding->plan.arena_bytes, held + held / 2);
    bindings_.clear();
    arena_ = {};
    arena_ = Tensor::empty({{static_cast<Dim>(bytes)}, DType::uint8});
  }
  binding->attach(graph_, arena_);
  if (bindings_.size() == kBindings) bindings_.pop_back();
  bindings_.insert(bindings_.begin(), std::move(binding));
  return *bindings_[0];
}

std::span<const Tensor> Program::replay(std::span<const Tensor> arguments,
                                        ReplayObserver* observer) {
  if (current_recorder() != nullptr)
    throw TraceError("[program] a program was replayed inside of a trace",
                     "call the function it was made of there");
  Binding& binding = bind(arguments);
  binding.point_to(graph_, arguments);
  binding.run(observer);
  return binding.outputs;
}

Tensors Program::operator()(const Tensors& arguments) {
  const NoGrad untracked;
  Tensors results;
  for (const Tensor& output : replay(arguments))
    results.push_back(apply_one(Op::copy, NoAttrs{}, std::vector<Tensor>{output}));
  return results;
}

const Graph& Program::graph() const { return graph_; }
std::span<const int> Program::calls() const {
  return bindings_.empty() ? std::span<const int>{} : bindings_[0]->calls;
}
const std::vector<Spec>& Program::specs() const {
  return bindings_.empty() ? graph_.values : bindings_[0]->specs;
}
const Plan& Program::plan() const {
  static const Plan none;
  return bindings_.empty() ? none : bindings_[0]->plan;
}

std::string Program::to_string() const {
  std::string text;
  for (int i : calls()) {
    const Graph::Operation& operation = graph_.operation(i);
    const std::string attributes = milgrad::to_string(operation.attrs);
    text += name_of(operation.op);
    for (Value value : operation.inputs)
      text += " " + specs()[static_cast<std::size_t>(value)].shape.to_string();
    text += operation.outputs.empty() ? "" : " ->";
    for (Value value : operation.outputs)
      text += " " + specs()[static_cast<std::size_t>(value)].shape.to_string();
    text += fmt::format("{}{}{}{}\n", attributes.empty() ? "" : "  ", attributes,
                        operation.scope.empty() ? "" : "  # ", operation.scope);
  }
  return text + plan().to_string() + "\n";
}

}  // namespace milgrad
