// The registry checks.
#include "tests/registry/op_suite.h"

#include "autograd/grad.h"
#include "autograd/gradcheck.h"
#include "autograd/trace.h"
#include "tensor/apply.h"
#include "tests/registry/kernel_checks.h"
#include "tests/registry/sample_tensors.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace milgrad::test {
namespace {

constexpr double kFloat32Tolerance = 2e-5;  // float32 kernel against float64
constexpr double kReferenceTolerance = 1e-12;

// The same attributes, asking for float64 where they name float32.
Attrs widened(Attrs attrs) {
  std::visit(
      [](auto& values) {
        if constexpr (requires { values.dtype; })
          if (values.dtype == DType::float32) values.dtype = DType::float64;
      },
      attrs);
  return attrs;
}

bool holds_float32(const Tensors& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const Tensor& x) { return x.dtype() == DType::float32; });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Suite {
 public:
  explicit Suite(Op op) : op_(op), def_(definition(op)), samples_(def_.samples.value()) {}

  std::vector<std::string> run() {
    check_form();
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      context_ = fmt::format("sample {}", i);
      guarded([&] { check_sample(samples_[i], 17 * i + 1); });
    }
    const auto bad = def_.bad_samples.value();
    for (std::size_t i = 0; i < bad.size(); ++i) {
      context_ = fmt::format("bad sample {}", i);
      guarded([&] { check_bad_sample(bad[i]); });
    }
    return failures_;
  }

 private:
  void fail(const std::string& check, const std::string& what) {
    failures_.push_back(fmt::format("{}: {}: {}: {}", def_.name.value, context_, check, what));
  }
  template <class F>
  void guarded(const F& f) {
    try {
      f();
    } catch (const std::exception& error) {
      fail("threw", error.what());
    }
  }

  void check_form() {
    context_ = "form";
    if (std::string(def_.doc.value).empty()) fail("well-formed", "no doc line");
    if (samples_.size() < 2) fail("well-formed", "fewer than two samples");
    if (def_.bad_samples.value().empty()) fail("well-formed", "no bad sample");
    const bool small = std::any_of(samples_.begin(), samples_.end(), [](const Sample& sample) {
      return std::any_of(sample.inputs.begin(), sample.inputs.end(), [&](const SampleInput& in) {
        return in.shape.rank() == 0 || std::count(in.shape.begin(), in.shape.end(), 1) > 0 ||
               !(in.shape == sample.inputs[0].shape);
      });
    });
    // Operations of keys alone take one shape only.
    const bool any_shape =
        !samples_.empty() && std::any_of(samples_[0].inputs.begin(), samples_[0].inputs.end(),
                                         [](const SampleInput& in) {
                                           return in.domain != SampleInput::Domain::integers;
                                         });
    if (any_shape && !small)
      fail("well-formed", "no sample with a size-1 axis, a scalar or a broadcast");
    if (!def_.vjp.value.rule && std::string(def_.vjp.value.why_not).empty())
      fail("well-formed", "not differentiable, without a reason");
  }

  void check_sample(const Sample& sample, std::uint64_t seed) {
    const Tensors inputs = sample_tensors(sample, seed);
    check_kernel(sample, inputs);
    if (def_.reference != nullptr) check_reference(sample, inputs);
    if (def_.mutates != 0) return;
    check_derivative(sample, inputs);
    check_trace(sample, inputs);
  }

  std::vector<Spec> infer(const Attrs& attrs, const Tensors& inputs) const {
    return def_.infer.value({.op = def_.name.value, .attrs = attrs, .inputs = specs_of(inputs)});
  }

  void check_kernel(const Sample& sample, const Tensors& inputs) {
    for (DType dtype : {DType::float64, DType::float32, DType::int32, DType::int64, DType::uint8,
                        DType::boolean}) {
      if (!inputs.empty() && !def_.dtypes.value.contains(dtype)) continue;
      Tensors in = inputs;
      // Input 0 and all floating inputs are the values; others keep their integer or bool dtype.
      for (std::size_t i = 0; i < in.size(); ++i)
        if (i == 0 || in[i].dtype() == DType::float64)
          if (in[i].dtype() == DType::float64) in[i] = converted(in[i], dtype);
      const std::vector<Spec> specs = infer(sample.attrs, in);
      const KernelRun run = run_kernel(op_, sample.attrs, in, specs);
      for (const std::string& failure : run.failures)
        fail(fmt::format("kernel {}", name_of(dtype)), failure);
      if (holds_float32(run.outputs) || holds_float32(run.mutated))
        compare_with_float64(sample, in, run);
      if (def_.mutates == 0) compare_with_eager(sample, in, specs, run);
      if (inputs.empty()) break;
    }
  }

  void compare_with_float64(const Sample& sample, const Tensors& in, const KernelRun& narrow) {
    Tensors wide = in;
    for (Tensor& x : wide)
      if (x.dtype() == DType::float32) x = converted(x, DType::float64);
    const Attrs attrs = widened(sample.attrs);
    const KernelRun run = run_kernel(op_, attrs, wide, infer(attrs, wide));
    const auto compare = [&](const Tensors& a, const Tensors& b, const char* what) {
      for (std::size_t i = 0; i < a.size(); ++i)
        if (const double error = largest_difference(a[i], b[i]); !(error <= kFloat32Tolerance))
          fail("float32", fmt::format("{} {} differs from float64 by {:.3g}", what, i, error));
    };
    compare(narrow.outputs, run.outputs, "output");
    compare(narrow.mutated, run.mutated, "overwritten input");
  }

  void compare_with_eager(const Sample& sample, const Tensors& in, const std::vector<Spec>& specs,
                          const KernelRun& run) {
    const Tensors eager = apply(op_, sample.attrs, in);
    for (std::size_t i = 0; i < eager.size(); ++i) {
      if (!(eager[i].spec() == specs[i]))
        fail("infer", fmt::format("output {} is {}, infer says {}", i, eager[i].spec().to_string(),
                                  specs[i].to_string()));
      else if (largest_difference(eager[i], run.outputs[i]) != 0)
        fail("alias", fmt::format("output {} of apply() differs from the kernel's", i));
    }
  }

  TensorFunction function(const Attrs& attrs) const {
    return [this, attrs](const Tensors& x) { return apply(op_, attrs, x); };
  }

  std::vector<int> fixed_inputs(const Sample& sample) const {
    std::vector<int> fixed;
    for (std::size_t i = 0; i < sample.inputs.size(); ++i)
      if (!sample.inputs[i].differentiable) fixed.push_back(static_cast<int>(i));
    return fixed;
  }

  void check_derivative(const Sample& sample, const Tensors& inputs) {
    if (def_.vjp.value.rule == nullptr) return check_reason(sample, inputs);
    const GradcheckResult result =
        gradcheck(function(sample.attrs), inputs, {}, fixed_inputs(sample));
    if (!result.ok) fail("gradient", result.message);
  }

  void check_reason(const Sample& sample, const Tensors& inputs) {
    Tensors leaves = inputs, wrt;
    for (Tensor& x : leaves)
      if (x.dtype() == DType::float64) wrt.push_back(x = requires_grad(x));
    if (wrt.empty()) return;
    const Tensors outputs = apply(op_, sample.attrs, leaves);
    Tensors cotangents;
    for (const Tensor& y : outputs) cotangents.push_back(ones(y.shape(), DType::float64));
    try {
      grad(outputs, wrt, {.cotangents = cotangents});
      fail("not differentiable", "a gradient was given all the same");
    } catch (const GradientError& error) {
      if (!contains(error.what(), def_.vjp.value.why_not))
        fail("not differentiable", std::string("the reason is missing in: ") + error.what());
    }
  }

  Tensors gradients(const TensorFunction& f, const Sample& sample, const Tensors& inputs) const {
    Tensors leaves = inputs, wrt;
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (leaves[i].dtype() == DType::float64 && sample.inputs[i].differentiable)
        wrt.push_back(leaves[i] = requires_grad(leaves[i]));
    const Tensors outputs = f(leaves);
    Tensors cotangents;
    for (const Tensor& y : outputs)
      cotangents.push_back(
          is_floating(y.dtype())
              ? sample_tensor({.shape = y.shape(), .domain = SampleInput::Domain::normal},
                              99 + cotangents.size())
              : Tensor());
    return wrt.empty() ? Tensors{} : grad(outputs, wrt, {.cotangents = cotangents});
  }

  void check_reference(const Sample& sample, const Tensors& inputs) {
    const TensorFunction reference = [&](const Tensors& x) {
      return def_.reference(x, sample.attrs);
    };
    const auto compare = [&](const Tensors& a, const Tensors& b, const char* what) {
      if (a.size() != b.size()) return fail("reference", fmt::format("{} counts differ", what));
      for (std::size_t i = 0; i < a.size(); ++i)
        if (const double e = largest_difference(a[i], b[i]); !(e <= kReferenceTolerance))
          fail("reference", fmt::format("{} {} differs by {:.3g}", what, i, e));
    };
    if (def_.mutates != 0) {
      const KernelRun run = run_kernel(op_, sample.attrs, inputs, infer(sample.attrs, inputs));
      Tensors results = run.mutated;
      results.insert(results.end(), run.outputs.begin(), run.outputs.end());
      return compare(results, reference(inputs), "overwritten input or output");
    }
    compare(apply(op_, sample.attrs, inputs), reference(inputs), "output");
    if (def_.vjp.value.rule != nullptr)
      compare(gradients(function(sample.attrs), sample, inputs),
              gradients(reference, sample, inputs), "gradient");
  }

  void check_trace(const Sample& sample, const Tensors& inputs) {
    const TensorFunction f = [&](const Tensors& x) {
      Tensors all = apply(op_, sample.attrs, x);
      if (def_.vjp.value.rule != nullptr)
        for (const Tensor& g : gradients(function(sample.attrs), sample, x)) all.push_back(g);
      return all;
    };
    const Tensors eager = f(inputs), replayed = trace(f, specs_of(inputs)).run(inputs);
    for (std::size_t i = 0; i < eager.size(); ++i)
      if (largest_difference(replayed[i], eager[i]) != 0)
        fail("traced", fmt::format("result {} differs from eager", i));
  }

  void check_bad_sample(const BadSample& bad) {
    Tensors inputs;
    for (const Spec& spec : bad.inputs) inputs.push_back(zeros(spec.shape, spec.dtype));
    try {
      apply(op_, bad.attrs, inputs);
      fail("errors", "nothing was thrown");
    } catch (const Error& error) {
      const std::string text = std::string(error.what()) + " " + error.hint();
      if (!contains(text, bad.message))
        fail("errors", fmt::format("\"{}\" is missing in: {}", bad.message, text));
      if (!contains(text, fmt::format("[{}]", def_.name.value)))
        fail("errors", "the operation is not named in: " + text);
    }
  }

  Op op_;
  const OpDef& def_;
  std::vector<Sample> samples_;
  std::string context_;
  std::vector<std::string> failures_;
};

}  // namespace

std::vector<std::string> check_op(Op op) { return Suite(op).run(); }

}  // namespace milgrad::test
