// Eager runs, replays, and a watch over every operand.
#include "tests/registry/program_checks.h"

#include "autograd/trace.h"
#include "tensor/apply.h"
#include "tensor/mode.h"
#include "tensor/ops.h"
#include "tests/registry/plan_checks.h"
#include "tests/registry/sample_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include <fmt/format.h>

namespace milgrad::test {
namespace {

/// Passes that compute the same numbers by the same kernels, only fewer of them.
const std::set<std::string> kKeepBits{"shapes", "views", "constants", "common", "dead_code"};

/// Elements below this are what is left of larger numbers that cancel, with their rounding.
constexpr double kCancelled = 1e-3;

struct Choice {
  std::string name;
  PassOptions passes;
  PlanOptions plan = {};
};

std::vector<Choice> choices(Depth depth) {
  std::vector<Choice> list{{"all passes off", PassOptions::none()},
                           {"all passes on", {}},
                           {"all passes on, plain plan",
                            {},
                            {.in_place = false, .side_by_side = false, .reuse = false}}};
  if (depth == Depth::ends) return list;
  for (const Pass& pass : all_passes()) {
    list.push_back({fmt::format("{} alone on", pass.name), PassOptions::only({pass.name})});
    list.push_back({fmt::format("{} alone off", pass.name), {.off = {pass.name}}});
  }
  return list;
}

bool keeps_bits(const PassOptions& passes) {
  return std::all_of(all_passes().begin(), all_passes().end(), [&](const Pass& pass) {
    return passes.off.contains(pass.name) || kKeepBits.contains(pass.name);
  });
}

std::size_t bytes_of(const Spec& spec) {
  return static_cast<std::size_t>(spec.shape.numel()) * size_of(spec.dtype);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.spec() == b.spec() && std::memcmp(a.raw_data(), b.raw_data(), bytes_of(a.spec())) == 0;
}

Tensor copied(const Tensor& x) {
  Tensor result = Tensor::empty(x.spec());
  std::memcpy(result.raw_data(), x.raw_data(), bytes_of(x.spec()));
  return result;
}

Tensors copied(std::span<const Tensor> tensors) {
  Tensors result;
  for (const Tensor& x : tensors) result.push_back(copied(x));
  return result;
}

/// The largest |a - b|; infinite where one of them is not a number, or infinite, alone.
double difference(const Tensor& a, const Tensor& b) {
  const Tensor x = converted(a, DType::float64), y = converted(b, DType::float64);
  double worst = 0;
  for (std::size_t i = 0; i < x.data<double>().size(); ++i) {
    const double u = x.data<double>()[i], v = y.data<double>()[i];
    if (u == v || (std::isnan(u) && std::isnan(v))) continue;
    worst = std::isfinite(u - v) ? std::max(worst, std::abs(u - v)) : INFINITY;
  }
  return worst;
}

double largest(const Tensor& x) {
  double result = 0;
  for (double v : converted(x, DType::float64).data<double>())
    if (std::isfinite(v)) result = std::max(result, std::abs(v));
  return result;
}

/// What one run left behind.
struct State {
  Tensors outputs;
  Tensors variables;
};

/// Compares every operand and result in the arena with an eager run of the same operations.
class Watch : public ReplayObserver {
 public:
  Watch(const Program& program, const std::byte* arena, const Tensors& arguments)
      : program_(program), arena_(arena), known_(program.graph().values.size()) {
    const Graph& graph = program.graph();
    const NoGrad untracked;
    for (std::size_t i = 0; i < arguments.size(); ++i) known(graph.inputs[i]) = arguments[i];
    for (const Graph::External& external : graph.externals) known(external.value) = external.tensor;
    for (const Graph::Operation& operation : graph.operations) {
      Tensors operands;
      for (Value v : operation.inputs) operands.push_back(known(v));
      const Tensors results = apply(operation.op, operation.attrs, operands);
      for (std::size_t k = 0; k < results.size(); ++k) known(operation.outputs[k]) = results[k];
    }
  }

  void before(std::size_t call) override {
    const Graph::Operation& operation = at(call);
    for (std::size_t k = 0; k < operation.inputs.size(); ++k)
      if (k >= 64 || ((definition(operation.op).shape_only >> k) & 1u) == 0)
        compare(call, operation.inputs[k], "operand");
  }
  void after(std::size_t call) override {
    for (Value v : at(call).outputs) compare(call, v, "result");
  }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  Tensor& known(Value v) { return known_[static_cast<std::size_t>(v)]; }
  const Graph::Operation& at(std::size_t call) const {
    return program_.graph().operation(program_.calls()[call]);
  }
  void compare(std::size_t call, Value v, const char* what) {
    const Place& place = program_.plan().places[static_cast<std::size_t>(v)];
    if (place.kind != Place::Kind::arena || !failures_.empty()) return;
    if (std::memcmp(arena_ + place.offset, known(v).raw_data(), bytes_of(known(v).spec())) != 0)
      failures_.push_back(fmt::format("call {}, {}: {} %{} is not what was computed", call,
                                      name_of(at(call).op), what, v));
  }

  const Program& program_;
  const std::byte* arena_;
  Tensors known_;
  std::vector<std::string> failures_;
};

class Checker {
 public:
  explicit Checker(const Subject& subject) : subject_(subject) {}

  std::vector<std::string> run(Depth depth) {
    const Graph graph = trace(subject_.function, specs_of(subject_.arguments[0]));
    find_variables(graph);
    for (const Tensors& arguments : subject_.arguments)
      expected_.push_back(state(copied(subject_.function(arguments))));
    restore();
    for (const Choice& choice : choices(depth)) {
      context_ = choice.name;
      try {
        check(graph, choice);
      } catch (const std::exception& error) {
        fail(std::string("threw ") + error.what());
      }
      restore();
    }
    return failures_;
  }

 private:
  void fail(const std::string& what) { failures_.push_back(fmt::format("{}: {}", context_, what)); }

  void find_variables(const Graph& graph) {
    std::set<const Storage*> known;
    for (const Graph::External& external : graph.externals)
      if (external.tensor.has_storage() && external.tensor.storage()->is_variable() &&
          known.insert(external.tensor.storage().get()).second)
        variables_.push_back(external.tensor);
    start_ = copied(variables_);
  }

  State state(Tensors outputs) const { return {std::move(outputs), copied(variables_)}; }

  void restore() {
    for (std::size_t i = 0; i < start_.size(); ++i) {
      std::memcpy(variables_[i].raw_data(), start_[i].raw_data(), bytes_of(start_[i].spec()));
      variables_[i].storage()->bump_version();
    }
  }

  /// What the passes made, with the memory of its constants: the same twice needs one check.
  static std::string text_of(const Program& program, const PlanOptions& plan) {
    std::string text = program.graph().to_string() + (plan.reuse ? "" : "plain plan");
    for (const Graph::External& external : program.graph().externals)
      if (external.tensor.has_storage())
        text += fmt::format(" {}", static_cast<const void*>(external.tensor.raw_data()));
    return text;
  }

  void check(const Graph& graph, const Choice& choice) {
    Program program(graph, {.passes = choice.passes, .plan = choice.plan});
    exact_ = keeps_bits(choice.passes);
    if (!seen_.insert(text_of(program, choice.plan)).second) return;
    watch(program);
    Tensors previous, kept;
    for (std::size_t k = 0; k < subject_.arguments.size(); ++k) {
      const State now = state(program(subject_.arguments[k]));
      compare(now, expected_[k], k);
      for (std::size_t i = 0; i < kept.size(); ++i)
        if (!same_bits(previous[i], kept[i]))
          fail(fmt::format("replay {} changed output {} of the replay before", k, i));
      previous = now.outputs;
      kept = copied(previous);
    }
  }

  /// One replay over an arena of NaN beside an eager run; the variables are as before afterwards.
  void watch(Program& program) {
    const Tensors& arguments = subject_.arguments[0];
    std::byte* arena = nullptr;
    const auto outputs = program.replay(arguments);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const Value v = program.graph().outputs[k];
      if (program.plan().places[static_cast<std::size_t>(v)].kind != Place::Kind::arena) continue;
      arena = outputs[k].storage()->data();
      std::memset(arena, 0xFF, program.plan().arena_bytes);
    }
    restore();
    for (const std::string& failure : check_plan(program.graph(), program.specs(), program.plan()))
      fail(failure);
    if (arena == nullptr) return;
    Watch watch(program, arena, arguments);
    restore();
    program.replay(arguments, &watch);
    for (const std::string& failure : watch.failures()) fail(failure);
    std::memset(arena, 0xFF, program.plan().arena_bytes);
    restore();
  }

  void compare(const State& now, const State& expected, std::size_t replay) {
    compare(now.outputs, expected.outputs, false, fmt::format("replay {}, output", replay));
    compare(now.variables, expected.variables, subject_.amplifies,
            fmt::format("replay {}, variable", replay));
  }

  void compare(const Tensors& now, const Tensors& expected, bool amplified,
               const std::string& what) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!(now[i].spec() == expected[i].spec())) {
        fail(fmt::format("{} {} is {}, eager {}", what, i, now[i].spec().to_string(),
                         expected[i].spec().to_string()));
      } else if (exact_) {
        if (!same_bits(now[i], expected[i]))
          fail(fmt::format("{} {} differs in bits by {:.3g}", what, i,
                           difference(now[i], expected[i])));
      } else {
        const double tolerance = now[i].dtype() == DType::float32 ? 2e-6 : 1e-12;
        const double allowed =
            amplified ? 1e-5 : tolerance * std::max(largest(expected[i]), kCancelled);
        if (const double d = difference(now[i], expected[i]); !(d <= allowed))
          fail(fmt::format("{} {} differs by {:.3g}, allowed {:.3g}", what, i, d, allowed));
      }
    }
  }

  const Subject& subject_;
  Tensors variables_;
  Tensors start_;  // what they hold before every run
  std::vector<State> expected_;
  std::set<std::string> seen_;
  bool exact_ = true;
  std::string context_ = "trace";
  std::vector<std::string> failures_;
};

}  // namespace

std::vector<std::string> check_programs(const Subject& subject, Depth depth) {
  return Checker(subject).run(depth);
}

}  // namespace milgrad::test
