// Programs of one operation.
#include "tests/registry/program_suite.h"

#include "autograd/grad.h"
#include "tensor/apply.h"
#include "tensor/variable.h"
#include "tests/registry/program_checks.h"
#include "tests/registry/sample_tensors.h"

#include <fmt/format.h>

namespace milgrad::test {
namespace {

constexpr int kReplays = 3;

class ProgramSuite {
 public:
  explicit ProgramSuite(Op op) : op_(op), def_(definition(op)) {}

  std::vector<std::string> run() {
    const std::vector<Sample> samples = def_.samples.value();
    for (std::size_t i = 0; i < samples.size(); ++i)
      for (DType dtype : {DType::float64, DType::float32, DType::int32, DType::int64, DType::uint8,
                          DType::boolean}) {
        context_ = fmt::format("{}: sample {}, {}", def_.name.value, i, name_of(dtype));
        try {
          check_sample(samples[i], dtype, 31 * i + 7);
        } catch (const std::exception& error) {
          failures_.push_back(context_ + ": threw " + error.what());
        }
      }
    return failures_;
  }

 private:
  /// Inputs of the sample in this dtype; empty if the operation does not take it.
  Tensors inputs_of(const Sample& sample, DType dtype, std::uint64_t seed) const {
    Tensors inputs = sample_tensors(sample, seed);
    bool floating = false;
    for (Tensor& x : inputs) {
      if (!is_floating(x.dtype())) continue;
      floating = true;
      x = converted(x, dtype);
    }
    const bool takes = inputs.empty() || def_.dtypes.value.contains(inputs[0].dtype());
    return takes && (floating || dtype == DType::float64) ? inputs : Tensors{};
  }

  void check_sample(const Sample& sample, DType dtype, std::uint64_t seed) {
    std::vector<Tensors> sets;
    for (int replay = 0; replay < kReplays; ++replay)
      sets.push_back(inputs_of(sample, dtype, seed + 100u * static_cast<std::uint64_t>(replay)));
    if (sets[0].size() != sample.inputs.size()) return;
    if (def_.mutates != 0) return check_effects(sample, sets);
    const auto f = [&](const Tensors& x) { return values_and_gradients(sample, x); };
    report("inputs", {.function = f, .arguments = sets});
    report("constants",
           {.function = [&](const Tensors&) { return f(sets[0]); }, .arguments = {{}, {}, {}}});
    if (sets[0].size() < 2) return;
    const auto half = [&](const Tensors& x) {
      Tensors all = sets[0];
      all[0] = x[0];
      return f(all);
    };
    report("an input and constants",
           {.function = half, .arguments = {{sets[0][0]}, {sets[1][0]}, {sets[2][0]}}});
  }

  Tensors values_and_gradients(const Sample& sample, const Tensors& inputs) const {
    Tensors leaves = inputs, wrt, cotangents;
    const bool differentiable = def_.vjp.value.rule != nullptr;
    for (std::size_t i = 0; differentiable && i < leaves.size(); ++i)
      if (is_floating(leaves[i].dtype()) && sample.inputs[i].differentiable)
        wrt.push_back(leaves[i] = requires_grad(leaves[i]));
    Tensors results = apply(op_, sample.attrs, leaves);
    if (wrt.empty()) return results;
    for (const Tensor& y : results)
      cotangents.push_back(is_floating(y.dtype())
                               ? converted(sample_tensor({.shape = y.shape()}, 5), y.dtype())
                               : Tensor());
    for (const Tensor& g : grad(results, wrt, {.cotangents = cotangents})) results.push_back(g);
    return results;
  }

  /// The inputs that the operation overwrites are variables, the others arguments.
  void check_effects(const Sample& sample, const std::vector<Tensors>& sets) {
    Subject subject{.amplifies = op_ == Op::adam_update};
    std::vector<Variable> variables;
    std::vector<std::size_t> given;
    for (std::size_t i = 0; i < sample.inputs.size(); ++i)
      if ((def_.mutates >> i) & 1u)
        variables.emplace_back(sets[0][i], VariableOptions{.trainable = false});
      else
        given.push_back(i);
    subject.function = [&](const Tensors& x) {
      Tensors operands;
      std::size_t variable = 0, argument = 0;
      for (std::size_t i = 0; i < sample.inputs.size(); ++i)
        operands.push_back((def_.mutates >> i) & 1u ? variables[variable++].value()
                                                    : x[argument++]);
      return apply(op_, sample.attrs, operands);
    };
    for (const Tensors& set : sets) {
      subject.arguments.emplace_back();
      for (std::size_t i : given) subject.arguments.back().push_back(set[i]);
    }
    report("variables", subject);
  }

  void report(const std::string& kind, const Subject& subject) {
    for (const std::string& failure : check_programs(subject, Depth::each_pass))
      failures_.push_back(fmt::format("{}: {}: {}", context_, kind, failure));
  }

  Op op_;
  const OpDef& def_;
  std::string context_;
  std::vector<std::string> failures_;
};

}  // namespace

std::vector<std::string> check_op_programs(Op op) { return ProgramSuite(op).run(); }

}  // namespace milgrad::test
