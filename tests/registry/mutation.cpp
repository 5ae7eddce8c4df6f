// Proves that the registry suite can fail: links the op table and the CPU kernel table anew with
// every entry wrapped, breaks one rule or kernel at a time, and demands that the suite notices;
// then the same for the planner and each pass of programs. Usage: milgrad_mutation [OP | PASS...]
#include "backends/kernel_table.h"
#include "tensor/mode.h"
#include "tensor/ops.h"
#include "tensor/ops/definitions.h"
#include "tests/registry/mutants.h"
#include "tests/registry/op_suite.h"
#include "tests/registry/program_suite.h"
#include "tests/registry/random_programs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iostream>
#include <optional>

#include <fmt/format.h>

namespace milgrad {
namespace {

enum class Mutation {
  none,
  flip_sign,          // the first gradient negated
  wrong_factor,       // the last gradient 0.1 % too large
  drop_gradient,      // the last gradient missing
  swap_gradients,     // two gradients exchanged
  give_gradient,      // a gradient where the op says there is none
  vague_error,        // an error message that names nothing
  skip_last_element,  // the kernel leaves the last element unwritten
  write_past_end,     // the kernel writes one byte too many
  coarse_float32,     // float32 results 0.1 % too large
};
constexpr const char* kMutationNames[] = {
    "none",          "flip_sign",   "wrong_factor",      "drop_gradient",  "swap_gradients",
    "give_gradient", "vague_error", "skip_last_element", "write_past_end", "coarse_float32"};

struct Active {
  int op = -1;
  Mutation mutation = Mutation::none;
  int applied = 0;  // how often the mutation really changed something
};
Active active;

bool is_active(int op, Mutation mutation) { return active.op == op && active.mutation == mutation; }

// While a mutant's own work runs, nothing else is broken.
struct Pause {
  Active saved = active;
  Pause() { active.op = -1; }
  ~Pause() {
    active.op = saved.op;
    active.mutation = saved.mutation;
  }
};

bool all_zero(const Tensor& x) {
  if (!x.has_storage()) return false;
  const auto count = static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
  return std::all_of(x.raw_data(), x.raw_data() + count,
                     [](std::byte b) { return b == std::byte{}; });
}

bool same_values(const Tensor& a, const Tensor& b) {
  const auto count = static_cast<std::size_t>(a.numel()) * size_of(a.dtype());
  return a.has_storage() && b.has_storage() &&
         std::equal(a.raw_data(), a.raw_data() + count, b.raw_data());
}

void mutate_gradients(Tensors& g) {
  std::vector<std::size_t> defined;
  for (std::size_t i = 0; i < g.size(); ++i)
    if (g[i].defined() && !all_zero(g[i])) defined.push_back(i);
  if (defined.empty()) return;
  Tensor &first = g[defined.front()], &last = g[defined.back()];
  const Pause pause;
  switch (pause.saved.mutation) {
    case Mutation::flip_sign:
      first = neg(first);
      break;
    case Mutation::wrong_factor:
      last = mul(last, scalar(1.001, last.dtype()));
      break;
    case Mutation::drop_gradient:
      last = Tensor();
      break;
    case Mutation::swap_gradients:
      if (defined.size() < 2 || !(first.shape() == last.shape()) || same_values(first, last))
        return;
      std::swap(first, last);
      break;
    default:
      return;
  }
  ++active.applied;
}

template <int I>
Tensors mutant_rule(const VjpArgs& v);
template <int I>
std::vector<Spec> mutant_infer(const InferArgs& args);
template <int I>
void mutant_kernel(const Call& call);

constexpr const OpDef* kOriginals[] = {
#define OP(name) &op_##name,
#include "tensor/ops.def"
#undef OP
};
constexpr Kernel kOriginalKernels[] = {
#define OP(name) &cpu::name,
#include "tensor/ops.def"
#undef OP
};

template <int I>
Tensors mutant_rule(const VjpArgs& v) {
  if (kOriginals[I]->vjp.value.rule == nullptr) {
    ++active.applied;
    return {};
  }
  Tensors g = kOriginals[I]->vjp.value.rule(v);
  if (active.op == I) mutate_gradients(g);
  return g;
}

template <int I>
std::vector<Spec> mutant_infer(const InferArgs& args) {
  if (!is_active(I, Mutation::vague_error)) return kOriginals[I]->infer.value(args);
  try {
    return kOriginals[I]->infer.value(args);
  } catch (const Error&) {
    ++active.applied;
    throw ValueError("something is wrong");
  }
}

template <int I>
void mutant_kernel(const Call& call) {
  const Kernel kernel = kOriginalKernels[I];
  const bool has_output = !call.outputs.empty() && call.out().numel > 0;
  if (active.op != I || !has_output) return kernel(call);
  const View& out = call.out();
  const std::size_t size = size_of(out.dtype), bytes = static_cast<std::size_t>(out.numel) * size;
  auto* data = static_cast<std::byte*>(out.data);
  std::array<std::byte, 8> before{};
  std::memcpy(before.data(), data + bytes - size, size);
  kernel(call);
  if (active.mutation == Mutation::skip_last_element) {
    std::memcpy(data + bytes - size, before.data(), size);
  } else if (active.mutation == Mutation::write_past_end) {
    data[bytes] = std::byte{0};
  } else if (active.mutation == Mutation::coarse_float32 && out.dtype == DType::float32) {
    float* values = out.as<float>();
    if (std::all_of(values, values + out.numel, [](float x) { return x == 0; })) return;
    std::for_each(values, values + out.numel, [](float& x) { x *= 1.001f; });
  } else {
    return;
  }
  ++active.applied;
}

template <int I>
OpDef mutant() {
  OpDef def = *kOriginals[I];
  def.infer.value = mutant_infer<I>;
  if (def.vjp.value.rule != nullptr) def.vjp.value.rule = mutant_rule<I>;
  return def;
}

OpDef mutants[] = {
#define OP(name) mutant<static_cast<int>(Op::name)>(),
#include "tensor/ops.def"
#undef OP
};

constexpr decltype(Vjp::rule) kMutantRules[] = {
#define OP(name) &mutant_rule<static_cast<int>(Op::name)>,
#include "tensor/ops.def"
#undef OP
};

/// Whether the suite notices this mutation; empty optional: it changes nothing about this op.
std::optional<bool> is_noticed(int op, Mutation mutation) {
  active = {.op = op, .mutation = mutation, .applied = 0};
  Vjp& vjp = mutants[op].vjp.value;
  const Vjp original = vjp;
  if (mutation == Mutation::give_gradient && vjp.rule == nullptr) vjp.rule = kMutantRules[op];
  const bool noticed = !test::check_op(static_cast<Op>(op)).empty();
  vjp = original;
  const bool applied = active.applied > 0;
  active = {};
  if (!applied) return std::nullopt;
  return noticed;
}

bool wanted(const std::string& name, int argc, char** argv) {
  return argc < 2 || std::find(argv + 1, argv + argc, name) != argv + argc;
}

/// Whether the checks of programs notice a broken planner or pass; empty optional: it changes
/// nothing about any of them.
std::optional<bool> is_noticed(test::ProgramMutation mutation, const std::string& pass) {
  using test::Depth;
  test::program_mutant = {mutation, pass};
  bool noticed = false;
  for (int op = 0; op < kOpCount && !noticed; ++op)
    noticed = !test::check_op_programs(static_cast<Op>(op)).empty();
  for (std::uint64_t seed = 1; seed <= 200 && !noticed; ++seed)
    noticed = !check_programs(test::random_composition(seed), Depth::ends).empty() ||
              !check_programs(test::random_train_step(seed), Depth::ends).empty();
  const bool applied = test::program_mutant.applied > 0;
  test::program_mutant = {};
  if (!applied) return std::nullopt;
  return noticed;
}

struct Tally {
  int passed = 0;
  int failed = 0;
  int skipped = 0;

  void add(const std::string& name, int mutations, const std::string& survivors) {
    if (!survivors.empty()) std::cout << "FAIL " << name << ": not noticed:" << survivors << '\n';
    if (mutations == 0) std::cout << "SKIP " << name << ": no mutation changes it\n";
    ++(!survivors.empty() ? failed : mutations == 0 ? skipped : passed);
  }
};

void check_ops(Tally& tally, int argc, char** argv) {
  for (int op = 0; op < kOpCount; ++op) {
    const std::string name = mutants[op].name.value;
    if (!wanted(name, argc, argv)) continue;
    if (!test::check_op(static_cast<Op>(op)).empty()) {
      tally.add(name, 1, " the suite fails without a mutation");
      continue;
    }
    std::string survivors;
    int mutations = 0;
    for (std::size_t m = 1; m < std::size(kMutationNames); ++m) {
      const std::optional<bool> noticed = is_noticed(op, static_cast<Mutation>(m));
      mutations += noticed.has_value();
      if (noticed == false) survivors += std::string(" ") + kMutationNames[m];
    }
    tally.add(name, mutations, survivors);
  }
}

void check_programs_of(Tally& tally, const std::string& name, test::ProgramMutation mutation,
                       const char* what, int argc, char** argv) {
  if (!wanted(name, argc, argv)) return;
  const std::optional<bool> noticed = is_noticed(mutation, name);
  tally.add(name + ", " + what, noticed.has_value(),
            noticed == false ? std::string(" ") + what : "");
}

}  // namespace

const OpDef* const kOpTable[] = {
#define OP(name) &mutants[static_cast<int>(Op::name)],
#include "tensor/ops.def"
#undef OP
};

const Kernel kCpuKernels[] = {
#define OP(name) &mutant_kernel<static_cast<int>(Op::name)>,
#include "tensor/ops.def"
#undef OP
};

}  // namespace milgrad

int main(int argc, char** argv) {
  using namespace milgrad;
  using test::ProgramMutation;
  Tally tally;
  check_ops(tally, argc, argv);
  check_programs_of(tally, "planner", ProgramMutation::frees_early, "frees early", argc, argv);
  check_programs_of(tally, "planner", ProgramMutation::overwrites_operand, "overwrites an operand",
                    argc, argv);
  check_programs_of(tally, "common", ProgramMutation::ignores_attributes, "ignores attributes",
                    argc, argv);
  for (const Pass& pass : all_passes())
    check_programs_of(tally, pass.name, ProgramMutation::drops_operation, "drops an operation",
                      argc, argv);
  std::cout << tally.passed << " passed, " << tally.failed << " failed, " << tally.skipped
            << " skipped\n";
  return tally.failed > 0 ? 1 : 0;
}
