// Attention pooling. The operation itself and its gradient are compared with their references by
// the registry tests; here are numbers from elsewhere, bags of many rows, and what the options do.
#include "autograd/grad.h"
#include "autograd/program.h"
#include "autograd/trace.h"
#include "backends/allocator.h"
#include "backends/cpu/attention_plan.h"
#include "backends/kernel_table.h"
#include "tensor/apply.h"
#include "tensor/mode.h"
#include "tensor/node.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tests/values.h"

using namespace milgrad;
using test::check_values;

namespace {

using Gates = AttentionPoolOptions::Gates;

Tensor numbers_of(std::size_t count, const Shape& shape, std::uint64_t seed, double scale = 1) {
  const std::vector<float> values = test::noise(count, seed);
  std::vector<double> scaled;
  for (const float value : values) scaled.push_back(scale * static_cast<double>(value));
  return tensor(scaled, shape);
}

/// Instances and weights [h, V, b_v, U, b_u, w, b_w] as leaves.
struct Example {
  Tensors leaves;
  Example(Dim instances, Dim features, Dim hidden, DType dtype) {
    const Shape shapes[] = {{instances, features},
                            {features, hidden},
                            {hidden},
                            {features, hidden},
                            {hidden},
                            {hidden, 1},
                            {1}};
    for (const Shape& shape : shapes)
      leaves.push_back(
          requires_grad(cast(numbers_of(static_cast<std::size_t>(shape.numel()), shape,
                                        leaves.size() + 1, leaves.size() == 3 ? 0.5 : 1),
                             dtype)));
  }
  AttentionWeights weights() const {
    return {.value = leaves[1],
            .gate = leaves[3],
            .score = leaves[5],
            .value_bias = leaves[2],
            .gate_bias = leaves[4],
            .score_bias = leaves[6]};
  }
  AttentionPool pool(const AttentionPoolOptions& options = {}) const {
    return gated_attention_pool(leaves[0], weights(), options);
  }
  /// pooled, alpha and the gradients of all leaves, for fixed random cotangents.
  Tensors results(const AttentionPoolOptions& options = {}) const {
    return with_gradients(pool(options));
  }
  /// The same by plain operations.
  Tensors expected(const Tensor& offsets = {}) const {
    const Tensor &h = leaves[0], a = tanh(linear(h, leaves[1], leaves[2])),
                 u = sigmoid(linear(h, leaves[3], leaves[4])),
                 s = linear(a * u, leaves[5], leaves[6]);
    const Tensor alpha = offsets.defined() ? segment_softmax(s, offsets) : softmax(s, 0);
    return with_gradients(
        {offsets.defined() ? segment_sum(alpha * h, offsets) : sum(alpha * h, {0}, true), alpha});
  }

 private:
  Tensors with_gradients(const AttentionPool& y) const {
    Tensors all{y.pooled, y.alpha}, cotangents;
    for (const Tensor& x : all)
      cotangents.push_back(
          cast(numbers_of(static_cast<std::size_t>(x.numel()), x.shape(), 50 + cotangents.size()),
               x.dtype()));
    for (const Tensor& g : grad({y.pooled, y.alpha}, leaves, {.cotangents = cotangents}))
      all.push_back(g);
    return all;
  }
};

void check_all_close(const Tensors& a, const Tensors& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    double largest = 1;
    for (const double x : test::numbers(b[i])) largest = std::fmax(largest, std::abs(x));
    check_values(a[i], b[i].shape(), test::numbers(b[i]), tolerance * largest);
  }
}

}  // namespace

TEST_CASE("attention: parts and chunks, gates kept and computed again, equal plain operations") {
  // 1,300 rows are five parts; 11,000 are eight of two chunks each.
  for (const Dim rows : {1300, 11000})
    for (const DType dtype : {DType::float64, DType::float32}) {
      CAPTURE(rows);
      CAPTURE(name_of(dtype));
      const Example example(rows, rows == 1300 ? 33 : 6, rows == 1300 ? 19 : 3, dtype);
      const double tolerance = dtype == DType::float64 ? 1e-12 : 2e-5;
      const Tensors expected = example.expected();
      check_all_close(example.results({.gates = Gates::keep}), expected, tolerance);
      check_all_close(example.results({.gates = Gates::recompute}), expected, tolerance);
    }
}

TEST_CASE("attention: kept and recomputed gates give the same bits") {
  const Example example(1300, 33, 19, DType::float32);
  const Tensors kept = example.results({.gates = Gates::keep}),
                again = example.results({.gates = Gates::recompute});
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(test::same_bits(kept[i], again[i]));
}

TEST_CASE("attention: ragged bags, empty ones too, equal plain operations") {
  const Example example(1300, 33, 19, DType::float64);
  const Tensor offsets = tensor<std::int64_t>({0, 0, 3, 700, 700, 1299, 1300, 1300});
  check_all_close(example.results({.offsets = offsets}), example.expected(offsets), 1e-12);
  check_values(slice(example.pool({.offsets = offsets}).pooled, {.axis = 0, .stop = 1}), {1, 33},
               std::vector<double>(33, 0.0));
  CHECK_THROWS_WITH_AS(example.pool({.offsets = tensor<std::int64_t>({0, 1301})}),
                       doctest::Contains("[gated_attention_pool] offsets go from 0 to 1301"),
                       ValueError);
}

TEST_CASE("attention: the same bits for any thread count") {
  const Example example(11000, 20, 10, DType::float32);
  for (std::size_t i = 0; i < 9; ++i)
    test::check_same_bits_for_any_thread_count(
        [&] { return example.results({.gates = Gates::recompute})[i]; });
}

TEST_CASE("attention: no instance at all gives zeros") {
  const Example example(0, 5, 3, DType::float64);
  const Tensors results = example.results();
  check_values(results[0], {1, 5}, std::vector<double>(5, 0.0));
  CHECK(results[1].shape() == Shape{0, 1});
  check_values(results[3], {5, 3}, std::vector<double>(15, 0.0));
}

TEST_CASE("attention: the gradient of the instances may overwrite them") {
  const AttentionPoolAttrs attrs{.kept = KeptGates::none};
  const Dim rows = 600, features = 20, hidden = 8;
  Tensors inputs;
  const Shape shapes[] = {{rows, features}, {features, hidden}, {features, hidden}, {hidden, 1},
                          {rows, 1},        {0, 2 * hidden},    {1, features},      {rows, 1}};
  for (const Shape& shape : shapes)
    inputs.push_back(numbers_of(static_cast<std::size_t>(shape.numel()), shape, inputs.size() + 1));
  const Tensors expected = apply(Op::gated_attention_pool_gradient, attrs, inputs);
  std::vector<View> in, out;
  inputs[0] = copy(inputs[0]);
  for (const Tensor& x : inputs) in.push_back({x.raw_data(), x.shape(), x.dtype(), x.numel()});
  Tensors outputs;
  for (const Tensor& x : expected) {
    outputs.push_back(outputs.empty() ? inputs[0] : Tensor::empty(x.spec()));
    out.push_back({outputs.back().raw_data(), x.shape(), x.dtype(), x.numel()});
  }
  const OpDef& def = definition(Op::gated_attention_pool_gradient);
  REQUIRE(def.in_place);
  const Storage workspace(def.workspace(specs_of(inputs), attrs), Device::cpu());
  find_kernel(Op::gated_attention_pool_gradient, Device::cpu())(
      {.inputs = in, .outputs = out, .attrs = attrs, .workspace = workspace.data()});
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(test::same_bits(outputs[i], expected[i]));
}

TEST_CASE("attention: scratch memory does not grow with the instances, but for one number each") {
  const AttentionPoolAttrs attrs{.kept = KeptGates::none};
  const auto bytes = [&](Dim rows) {
    const cpu::AttentionSizes sizes({rows, 512}, {512, 256}, attrs, 4);
    return cpu::attention_gradient_scratch(sizes, attrs, 4).bytes;
  };
  CHECK(bytes(200000) == bytes(100000) + 4 * 100000);
}

TEST_CASE("attention: gates are kept where a gradient will read them and they are small") {
  const auto kept = [](const Tensor& x) {
    const auto& outputs = x.edge().node->saved_outputs;
    return outputs[2].restore({}, "test").shape()[0];
  };
  const Example example(7, 5, 3, DType::float32);
  CHECK(kept(example.pool().pooled) == 7);
  CHECK(kept(example.pool({.gates = Gates::recompute}).pooled) == 0);
  const std::size_t before = memory_statistics(Device::cpu()).in_use;
  const NoGrad no_grad;
  const AttentionPool untracked = example.pool({.gates = Gates::keep});
  CHECK(memory_statistics(Device::cpu()).in_use - before == 128);  // pooled and alpha alone
}

namespace {

/// x [instances, 6], W [6, 5] -> alpha and the gradient of W, through relu and attention pooling.
Tensors relu_and_pool(const Tensors& inputs) {
  const Example example(1, 5, 4, DType::float64);
  const Tensor weight = requires_grad(inputs[1]), h = relu(matmul(inputs[0], weight));
  const AttentionPool y = gated_attention_pool(h, example.weights(), {.gates = Gates::recompute});
  return {y.alpha, grad(sum(square(y.pooled)), weight)};
}

Tensors relu_and_pool_inputs(Dim instances) {
  return {numbers_of(static_cast<std::size_t>(instances * 6), {instances, 6}, 3),
          numbers_of(30, {6, 5}, 4)};
}

}  // namespace

TEST_CASE("attention: the pass takes the relu into the gradient, which then overwrites the relu") {
  const Tensors inputs = relu_and_pool_inputs(700);
  const Graph graph = trace(relu_and_pool, {inputs[0].spec(), inputs[1].spec()});
  Program plain(graph, {.passes = PassOptions::only({"views", "dead_code"})}),
      fused(graph, {.passes = PassOptions::only({"views", "dead_code", "attention"})});
  const Tensors expected = plain(inputs), results = fused(inputs);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(test::same_bits(results[i], expected[i]));
  CHECK(plain.to_string().find("\nsign ") != std::string::npos);
  CHECK(fused.to_string().find("\nsign ") == std::string::npos);
  CHECK(fused.to_string().find("through_relu=true") != std::string::npos);
  // Beside scratch memory: the relu's result, and without the pass its gradient too.
  const std::size_t rows = 700 * 5 * 8;
  CHECK(fused.plan().tensor_bytes + 2 * rows == plain.plan().tensor_bytes);
}

TEST_CASE("attention: a program for any number of instances keeps the gates of few") {
  const Dim hidden = 8192, most = (Dim{128} << 20) / (hidden * 8);  // without a gate, float64
  const Tensor value = numbers_of(2 * 8192, {2, hidden}, 1);
  const Tensor score = numbers_of(8192, {hidden, 1}, 2);
  const auto gradient_of = [&](const Tensors& inputs) {
    const Tensor v = requires_grad(inputs[1]);
    const AttentionPool y = gated_attention_pool(inputs[0], {.value = v, .score = score});
    return Tensors{grad(sum(square(y.pooled)), v)};
  };
  Program program(trace(gradient_of, {{{symbolic_dim(1), 2}, DType::float64}, value.spec()}));
  const auto bytes_for = [&](Dim instances) {
    const Tensors inputs{numbers_of(static_cast<std::size_t>(2 * instances), {instances, 2}, 3),
                         value};
    const Tensor result = program(inputs)[0];
    CHECK(test::same_bits(result, gradient_of(inputs)[0]));
    return program.plan().tensor_bytes;
  };
  const std::size_t kept = bytes_for(most), again = bytes_for(most + 1);
  CHECK(kept > std::size_t{128} << 20);
  CHECK(again < std::size_t{4} << 20);
}

TEST_CASE("attention: one program for any number of instances") {
  const Tensors some = relu_and_pool_inputs(3);
  const Graph graph =
      trace(relu_and_pool, {{{symbolic_dim(1), 6}, DType::float64}, some[1].spec()});
  Program program(graph);
  for (const Dim instances : {0, 1, 7, 1300, 2}) {
    CAPTURE(instances);
    const Tensors inputs = relu_and_pool_inputs(instances);
    const Tensors expected = relu_and_pool(inputs), results = program(inputs);
    for (std::size_t i = 0; i < expected.size(); ++i)
      check_values(results[i], expected[i].shape(), test::numbers(expected[i]), 1e-12);
  }
}
