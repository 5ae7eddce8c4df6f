// Programs by signature, and the decision when leading sizes become symbolic.
#include "autograd/compile.h"

#include "autograd/profile.h"
#include "autograd/trace.h"
#include "tensor/apply.h"
#include "tensor/log.h"
#include "tensor/mode.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace milgrad {
namespace {

constexpr std::size_t kSizesBeforeSymbols = 3;
constexpr const char* kLogTopic = "compile";

bool equal_behind_leading(const Shape& a, const Shape& b) {
  return a.rank() == b.rank() && std::equal(a.begin() + 1, a.end(), b.begin() + 1, b.end());
}

/// Equal but for the leading size.
bool alike(const Spec& a, const Spec& b) {
  if (a.shape.rank() == 0 || b.shape.rank() == 0) return a == b;
  return a.dtype == b.dtype && equal_behind_leading(a.shape, b.shape);
}

Dim leading_size(const Spec& spec) { return spec.shape.rank() == 0 ? 1 : spec.shape[0]; }

std::string describe(const std::vector<Spec>& signature) {
  std::string text;
  for (const Spec& spec : signature) text += (text.empty() ? "" : ", ") + spec.to_string();
  return "(" + text + ")";
}

/// Whether two sizes are the same multiple of two symbols, or the same number.
bool same_multiple(Dim a, Dim b) {
  if (!is_symbolic(a) || !is_symbolic(b)) return a == b;
  return symbol_multiple(a) == symbol_multiple(b);
}

bool same_form(const Spec& a, const Spec& b) {
  return a.dtype == b.dtype && a.shape.rank() == b.shape.rank() &&
         std::equal(a.shape.begin(), a.shape.end(), b.shape.begin(), same_multiple);
}

bool same_external(const Graph::External& a, const Graph::External& b) {
  if (a.value != b.value || a.tensor.has_storage() != b.tensor.has_storage()) return false;
  if (!a.tensor.has_storage()) return true;
  if (a.tensor.raw_data() == b.tensor.raw_data()) return true;
  return is_constant(a) && is_constant(b) && a.tensor.spec() == b.tensor.spec() &&
         std::memcmp(a.tensor.raw_data(), b.tensor.raw_data(),
                     static_cast<std::size_t>(a.tensor.numel()) * size_of(a.tensor.dtype())) == 0;
}

/// Whether two traces with different symbols say the same: a size that was read as a number, and
/// went into an attribute or a constant, makes them differ.
bool same_but_for_symbols(const Graph& a, const Graph& b) {
  const auto same_operation = [](const Graph::Operation& x, const Graph::Operation& y) {
    return x.op == y.op && x.attrs == y.attrs && x.inputs == y.inputs && x.outputs == y.outputs;
  };
  return a.outputs == b.outputs &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                    same_form) &&
         std::equal(a.externals.begin(), a.externals.end(), b.externals.begin(), b.externals.end(),
                    same_external) &&
         std::equal(a.operations.begin(), a.operations.end(), b.operations.begin(),
                    b.operations.end(), same_operation);
}

}  // namespace

/// A program and the signature it is for.
struct CompiledFunction::Entry {
  std::vector<Spec> signature;
  /// Per argument: the first one with the same symbolic leading size, or -1 if it is fixed.
  std::vector<int> symbols;
  Program program;

  bool fits(std::span<const Tensor> arguments) const {
    if (arguments.size() != signature.size()) return false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const Spec& given = arguments[i].spec();
      if (symbols[i] < 0) {
        if (!(given == signature[i])) return false;
      } else if (!alike(given, signature[i]) ||
                 given.shape[0] != arguments[static_cast<std::size_t>(symbols[i])].shape()[0]) {
        return false;
      }
    }
    return true;
  }
};

/// What is known of calls whose signatures differ in leading sizes alone.
struct CompiledFunction::Family {
  std::vector<Spec> first;
  std::vector<bool> varies;
  std::vector<int> equal_to;  // the first argument that always had the same leading size
  std::vector<std::vector<Dim>> sizes;
  bool fixed = false;  // symbolic sizes were tried in vain

  bool fits(std::span<const Tensor> arguments) const {
    if (arguments.size() != first.size()) return false;
    for (std::size_t i = 0; i < first.size(); ++i)
      if (!alike(first[i], arguments[i].spec())) return false;
    return true;
  }

  void take_in(std::span<const Tensor> arguments) {
    std::vector<Dim> now;
    std::vector<int> equal(first.size());
    for (const Tensor& x : arguments) now.push_back(leading_size(x.spec()));
    for (std::size_t i = 0; i < now.size(); ++i) {
      varies[i] = varies[i] || now[i] != leading_size(first[i]);
      std::size_t j = 0;  // ends at i at the latest
      while (equal_to[j] != equal_to[i] || now[j] != now[i]) ++j;
      equal[i] = static_cast<int>(j);
    }
    equal_to = std::move(equal);
    if (sizes.size() < kSizesBeforeSymbols &&
        std::find(sizes.begin(), sizes.end(), now) == sizes.end())
      sizes.push_back(std::move(now));
  }

  /// The first call's specs, with a symbol for each group of sizes that vary together; symbols are
  /// numbered from `base`.
  std::vector<Spec> symbolic_signature(int base) const {
    std::vector<Spec> signature = first;
    for (std::size_t i = 0; i < first.size(); ++i)
      if (varies[i]) signature[i].shape[0] = symbolic_dim(base + equal_to[i]);
    return signature;
  }
  std::vector<int> symbols() const {
    std::vector<int> result;
    for (std::size_t i = 0; i < first.size(); ++i) result.push_back(varies[i] ? equal_to[i] : -1);
    return result;
  }
};

CompiledFunction::CompiledFunction(Function function, CompileOptions options)
    : function_(std::move(function)), options_(std::move(options)) {
  if (!function_) throw ValueError(fmt::format("[{}] there is no function", options_.name));
  if (options_.capacity == 0)
    throw ValueError(fmt::format("[{}] capacity 0; expected 1 or more", options_.name));
}

CompiledFunction::~CompiledFunction() = default;
CompiledFunction::CompiledFunction(CompiledFunction&&) noexcept = default;
CompiledFunction& CompiledFunction::operator=(CompiledFunction&&) noexcept = default;

void CompiledFunction::check(std::span<const Tensor> arguments) const {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].defined())
      throw ValueError(fmt::format("[{}] argument {} is undefined", options_.name, i));
    if (grad_enabled() && arguments[i].requires_grad())
      throw GradientError(
          fmt::format("[{}] argument {} is tracked for gradients; programs are not differentiated",
                      options_.name, i),
          "compile the function that calls grad(), or pass stop_gradient() of it");
  }
}

Graph CompiledFunction::trace_once(const std::vector<Spec>& signature) {
  // Whatever mode the first caller is in, the program is that of the function by itself.
  const EnableGrad tracking;
  ++traces_;
  return trace(function_, signature);
}

std::unique_ptr<CompiledFunction::Entry> CompiledFunction::make_entry(std::vector<Spec> signature,
                                                                      std::vector<int> symbols,
                                                                      Graph graph) const {
  const auto start = std::chrono::steady_clock::now();
  const std::size_t traced = graph.operations.size();
  auto entry = std::make_unique<Entry>(
      Entry{std::move(signature), std::move(symbols), Program(std::move(graph), options_.program)});
  if (log_wanted(kLogTopic)) {
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    log_line(kLogTopic,
             fmt::format("{}: trace {} for {}: {} operations, {} after {:.1f} ms of passes",
                         options_.name, traces_, describe(entry->signature), traced,
                         entry->program.graph().operations.size(), time.count()));
  }
  return entry;
}

std::unique_ptr<CompiledFunction::Entry> CompiledFunction::compile_fixed(
    std::span<const Tensor> arguments) {
  std::vector<Spec> signature = specs_of(arguments);
  Graph graph = trace_once(signature);
  return make_entry(std::move(signature), std::vector<int>(arguments.size(), -1), std::move(graph));
}

std::unique_ptr<CompiledFunction::Entry> CompiledFunction::compile_symbolic(Family& family) {
  const auto count = static_cast<int>(family.first.size());
  std::string reason = "it reads a leading size as a number";
  try {
    std::vector<Spec> signature = family.symbolic_signature(1);
    Graph graph = trace_once(signature);
    const Graph again = trace_once(family.symbolic_signature(1 + count));
    if (same_but_for_symbols(graph, again))
      return make_entry(std::move(signature), family.symbols(), std::move(graph));
  } catch (const ShapeError& error) {
    reason = error.what();
  } catch (const TraceError& error) {
    reason = error.what();
  }
  family.fixed = true;
  if (log_wanted(kLogTopic))
    log_line(kLogTopic,
             fmt::format("{}: each leading size is traced by itself: {}", options_.name, reason));
  return nullptr;
}

CompiledFunction::Family& CompiledFunction::family_of(std::span<const Tensor> arguments) {
  auto found = std::find_if(families_.begin(), families_.end(),
                            [&](const auto& family) { return family->fits(arguments); });
  if (found == families_.end()) {
    if (families_.size() == options_.capacity) families_.pop_back();
    Family family{.first = specs_of(arguments),
                  .varies = std::vector<bool>(arguments.size()),
                  .equal_to = std::vector<int>(arguments.size()),
                  .sizes = {}};
    families_.push_back(std::make_unique<Family>(std::move(family)));
    found = families_.end() - 1;
  }
  std::rotate(families_.begin(), found, found + 1);
  families_[0]->take_in(arguments);
  return *families_[0];
}

CompiledFunction::Entry& CompiledFunction::entry_for(std::span<const Tensor> arguments) {
  check(arguments);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i]->fits(arguments)) continue;
    if (i > 0)
      std::rotate(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(i),
                  entries_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return *entries_[0];
  }
  Family& family = family_of(arguments);
  std::unique_ptr<Entry> entry;
  if (options_.symbolic && !family.fixed && family.sizes.size() == kSizesBeforeSymbols)
    entry = compile_symbolic(family);
  if (entry == nullptr) entry = compile_fixed(arguments);
  if (entries_.size() == options_.capacity) entries_.pop_back();
  entries_.insert(entries_.begin(), std::move(entry));
  return *entries_[0];
}

std::span<const Tensor> CompiledFunction::replay(std::span<const Tensor> arguments,
                                                 Profile* profile) {
  if (current_recorder() != nullptr)
    throw TraceError(
        fmt::format("[{}] a compiled function was replayed inside of a trace", options_.name),
        "call it with (), which traces the function itself");
  Program& program = entry_for(arguments).program;
  return program.replay(arguments,
                        profile == nullptr ? nullptr : &profile->of(program, options_.name));
}

Tensors CompiledFunction::operator()(const Tensors& arguments) {
  if (current_recorder() != nullptr) return function_(arguments);
  return entry_for(arguments).program(arguments);
}

Program& CompiledFunction::program() const {
  if (entries_.empty())
    throw ValueError(fmt::format("[{}] the function was not called yet", options_.name));
  return entries_[0]->program;
}

CompiledFunction compile(CompiledFunction::Function function, CompileOptions options) {
  return CompiledFunction(std::move(function), std::move(options));
}

}  // namespace milgrad
