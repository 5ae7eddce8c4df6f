// Bound kernels at tiny sizes, where the way to the first element is most of the time; and chains
// beside the operations they are made of.
#include "benchmarks/small.h"

#include "backends/kernel_table.h"
#include "tensor/apply.h"
#include "tensor/chain.h"
#include "tensor/random.h"
#include "tensor/variable.h"
#include "tests/registry/sample_tensors.h"

#include <functional>
#include <string>

#include <benchmark/benchmark.h>

namespace milgrad::bench {
namespace {

using Domain = SampleInput::Domain;

/// A kernel with its arguments, ready to be called.
class Bound {
 public:
  Bound(Op op, const Attrs& attrs, Tensors inputs)
      : kernel_(find_kernel(op, Device::cpu())), attrs_(attrs), inputs_(std::move(inputs)) {
    const OpDef& def = definition(op);
    const std::vector<Spec> specs = specs_of(inputs_);
    for (const Spec& spec :
         def.infer.value({.op = def.name.value, .attrs = attrs, .inputs = specs}))
      outputs_.push_back(Tensor::empty(spec));
    for (const Tensor& x : inputs_) in_.push_back(view_of(x));
    for (const Tensor& y : outputs_) out_.push_back(view_of(y));
    workspace_.resize(def.workspace == nullptr ? 0 : def.workspace(specs, attrs));
  }

  void operator()() const {
    kernel_({.inputs = in_, .outputs = out_, .attrs = attrs_, .workspace = workspace_.data()});
  }
  const Tensors& outputs() const { return outputs_; }

 private:
  static View view_of(const Tensor& x) { return {x.raw_data(), x.shape(), x.dtype(), x.numel()}; }

  Kernel kernel_;
  Attrs attrs_;
  Tensors inputs_, outputs_;
  std::vector<View> in_, out_;
  mutable std::vector<std::byte> workspace_;
};

Tensor values(const Shape& shape, DType dtype = DType::float32, Domain domain = Domain::unit) {
  return test::converted(test::sample_tensor({.shape = shape, .domain = domain, .limit = 2}, 1),
                         dtype);
}
Tensor bools(const Shape& shape) { return values(shape, DType::boolean, Domain::boolean); }
Tensor labels(const Shape& shape) { return values(shape, DType::int64, Domain::integers); }

struct Small {
  std::string name;
  std::function<Bound(Dim)> make;
};

Small elementwise(Op op, int operands) {
  return {name_of(op), [=](Dim n) {
            return Bound(op, NoAttrs{}, Tensors(static_cast<std::size_t>(operands), values({n})));
          }};
}

std::vector<Small> small_elementwise() {
  std::vector<Small> all;
  for (Op op :
       {Op::neg, Op::square, Op::sqrt, Op::exp, Op::tanh, Op::sigmoid, Op::relu, Op::isfinite})
    all.push_back(elementwise(op, 1));
  for (Op op : {Op::add, Op::mul, Op::div, Op::maximum, Op::equal, Op::greater})
    all.push_back(elementwise(op, 2));
  const auto add = [&](const char* name, Op op, Attrs attrs, std::function<Tensors(Dim)> inputs) {
    all.push_back({name, [=](Dim n) { return Bound(op, attrs, inputs(n)); }});
  };
  add("mul_scalar", Op::mul, {}, [](Dim n) { return Tensors{values({n}), values({})}; });
  add("mul_row", Op::mul, {}, [](Dim n) { return Tensors{values({3, n}), values({n})}; });
  add("mul_column", Op::mul, {}, [](Dim n) { return Tensors{values({3, n}), values({3, 1})}; });
  add("clip", Op::clip, NumberAttrs{0.2, 0.8}, [](Dim n) { return Tensors{values({n})}; });
  add("equal_int64", Op::equal, {}, [](Dim n) { return Tensors{labels({n}), labels({n})}; });
  add("logical_and", Op::logical_and, {}, [](Dim n) { return Tensors{bools({n}), bools({n})}; });
  add("where", Op::where, {}, [](Dim n) { return Tensors{bools({n}), values({n}), values({n})}; });
  add("where_scalar", Op::where, {}, [](Dim n) {
    return Tensors{bools({n}), values({n}), values({})};
  });
  add("cast_bool", Op::cast, DTypeAttrs{DType::float32}, [](Dim n) { return Tensors{bools({n})}; });
  add("cast_int64", Op::cast, DTypeAttrs{DType::float32},
      [](Dim n) { return Tensors{labels({n})}; });
  return all;
}

std::vector<Small> small_others() {
  std::vector<Small> all;
  const auto add = [&](const char* name, Op op, Attrs attrs, std::function<Tensors(Dim)> inputs) {
    all.push_back({name, [=](Dim n) { return Bound(op, attrs, inputs(n)); }});
  };
  const auto vector = [](Dim n) { return Tensors{values({n})}; };
  const auto row = [](Dim n) { return Tensors{values({1, n})}; };
  const auto rows = [](Dim n) { return Tensors{values({3, n})}; };
  add("sum", Op::sum, ReduceAttrs{.axes = {0}}, vector);
  add("sum_rows", Op::sum, ReduceAttrs{.axes = {1}}, rows);
  add("sum_columns", Op::sum, ReduceAttrs{.axes = {0}}, rows);
  add("max", Op::max, ReduceAttrs{.axes = {0}}, vector);
  add("argmax", Op::argmax, AxisAttrs{1}, row);
  add("argmax_columns", Op::argmax, AxisAttrs{0}, rows);
  add("softmax", Op::softmax, AxisAttrs{1}, row);
  add("softmax_columns", Op::softmax, AxisAttrs{0}, rows);
  add("log_softmax", Op::log_softmax, AxisAttrs{1}, row);
  add("logsumexp", Op::logsumexp, AxisAttrs{1}, row);
  add("sparse_cross_entropy", Op::sparse_softmax_cross_entropy, {}, [](Dim n) {
    return Tensors{values({1, n + 1}), labels({1})};
  });
  add("sum_to_like", Op::sum_to_like, {}, [](Dim n) {
    return Tensors{values({3, n}), values({n})};
  });
  add("sum_to_like_scalar", Op::sum_to_like, {}, [](Dim n) {
    return Tensors{values({n}), values({})};
  });
  add("size_of", Op::size_of, AxesAttrs{{0}}, vector);
  add("broadcast_scalar", Op::broadcast_like, {}, [](Dim n) {
    return Tensors{values({}), values({n})};
  });
  add("broadcast_row", Op::broadcast_like, {}, [](Dim n) {
    return Tensors{values({n}), values({3, n})};
  });
  add("broadcast_column", Op::broadcast_like, {}, [](Dim n) {
    return Tensors{values({3, 1}), values({3, n})};
  });
  add("one_hot", Op::one_hot, OneHotAttrs{2}, [](Dim n) { return Tensors{labels({n})}; });
  add("copy", Op::copy, {}, vector);
  add("transpose", Op::transpose, AxesAttrs{{1, 0}}, rows);
  add("slice", Op::slice, SliceAttrs{.axis = 0, .start = 1, .stop = 2}, rows);
  add("slice_columns", Op::slice, SliceAttrs{.axis = 1, .start = 0, .stop = 1}, rows);
  add("concat", Op::concat, AxisAttrs{0}, [](Dim n) { return Tensors{values({n}), values({n})}; });
  add("concat_columns", Op::concat, AxisAttrs{1}, [](Dim n) {
    return Tensors{values({3, n}), values({3, 1})};
  });
  add("stack", Op::stack, AxisAttrs{0}, [](Dim n) { return Tensors{values({n}), values({n})}; });
  add("split_like", Op::split_like, AxisAttrs{0}, [](Dim n) {
    return Tensors{values({2 * n}), values({n}), values({n})};
  });
  add("unstack", Op::unstack, AxisAttrs{0}, [](Dim n) { return Tensors{values({1, n})}; });
  add("gather", Op::gather, AxisAttrs{0}, [](Dim n) {
    return Tensors{values({2, n}), labels({1})};
  });
  add("assign", Op::assign, {}, [](Dim n) { return Tensors{values({n}), values({n})}; });
  return all;
}

/// (1 - a^2) g b and (1 - b) g b a: what is left of the gradient of tanh(.) * sigmoid(.).
ChainParts gate_gradient() {
  return {4,
          {{Op::square, {}, {0}},
           {Op::sub, {}, {3, 4}},
           {Op::mul, {}, {2, 1}},
           {Op::mul, {}, {5, 6}},
           {Op::sub, {}, {3, 1}},
           {Op::mul, {}, {6, 0}},
           {Op::mul, {}, {8, 9}}},
          {{7}, {10}}};
}

Tensors gate_inputs(Dim n) { return {values({n}), values({n}), values({n}), values({})}; }

std::vector<Bound> gate_op_by_op(Dim n) {
  std::vector<Bound> calls;
  Tensors known = gate_inputs(n);
  for (const ChainInstruction& instruction : gate_gradient().instructions) {
    Tensors operands;
    for (int operand : instruction.operands)
      operands.push_back(known[static_cast<std::size_t>(operand)]);
    calls.emplace_back(instruction.op, instruction.attrs, operands);
    known.push_back(calls.back().outputs()[0]);
  }
  return calls;
}

void run(benchmark::State& state, const std::vector<Bound>& calls) {
  for (auto _ : state)
    for (const Bound& call : calls) {
      call();
      benchmark::ClobberMemory();
    }
}

void add(const std::string& name, std::function<std::vector<Bound>()> make) {
  benchmark::RegisterBenchmark(name.c_str(), [make = std::move(make)](benchmark::State& state) {
    run(state, make());
  })->Unit(benchmark::kNanosecond);
}

}  // namespace

void register_small() {
  for (const auto& family : {small_elementwise(), small_others()})
    for (const Small& small : family)
      for (Dim n : {1, 2, 64, 192, 768})
        add("small/" + small.name + "/" + std::to_string(n),
            [=] { return std::vector<Bound>{small.make(n)}; });
  for (Dim n : {2, 192, 768, 8192, 131072, 2500000}) {
    add("chain/" + std::to_string(n), [=] {
      const ChainAttrs attrs{std::make_shared<const Chain>(gate_gradient())};
      return std::vector<Bound>{Bound(Op::chain, attrs, gate_inputs(n))};
    });
    add("chain_op_by_op/" + std::to_string(n), [=] { return gate_op_by_op(n); });
  }
}

}  // namespace milgrad::bench
