// Definitions of attention pooling and of its gradient, which is an operation of its own so that
// both work through the instances in chunks. Inputs of both: instances [total, features],
// V [features, hidden], b_v [hidden], U, b_u, w [hidden, 1], b_w [1], offsets [bags + 1]; those
// that the attributes exclude are left out. The gradient also gets alpha, the gates (empty if they
// are computed again) and the gradients of pooled and alpha, and gives one result per floating
// input in front of these.
#include "backends/cpu/attention_plan.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/ops/definitions.h"

#include <algorithm>

namespace milgrad {
namespace {

using Domain = SampleInput::Domain;

/// The inputs by name; those that are left out are undefined.
struct PoolInputs {
  Tensor h, v, v_bias, u, u_bias, w, w_bias, offsets;
  std::size_t count = 0;

  PoolInputs(std::span<const Tensor> inputs, const AttentionPoolAttrs& attrs) {
    const auto take = [&](bool present) { return present ? inputs[count++] : Tensor(); };
    h = take(true), v = take(true), v_bias = take(attrs.biases), u = take(attrs.gated);
    u_bias = take(attrs.gated && attrs.biases), w = take(true), w_bias = take(attrs.biases);
    offsets = take(attrs.ragged);
  }
};

/// How many inputs both operations begin with.
int input_count(const AttentionPoolAttrs& attrs) {
  return 3 + (attrs.gated ? 1 : 0) + (attrs.biases ? (attrs.gated ? 3 : 2) : 0) +
         (attrs.ragged ? 1 : 0);
}

void expect_shape(const InferArgs& args, int i, const char* what, const Shape& expected) {
  if (args.shape(i) == expected) return;
  throw ShapeError(fmt::format("[{}] {} of shape {} for instances {} and V {}; expected {}",
                               args.op, what, args.shape(i).to_string(), args.shape(0).to_string(),
                               args.shape(1).to_string(), expected.to_string()));
}

void expect_inputs_of_dtype(const InferArgs& args, int floating) {
  for (int i = 0; i < floating; ++i) {
    expect_dtype(args, i, kFloating);
    if (args.dtype(i) != args.dtype(0))
      throw DTypeError(fmt::format("[{}] input {} is {}, input 0 {}", args.op, i,
                                   name_of(args.dtype(i)), name_of(args.dtype(0))),
                       "dtypes are never promoted; use cast()");
  }
}

struct PoolShape {
  Dim instances, features, hidden, columns, bags;
};

/// Checks what both operations begin with.
PoolShape infer_common(const InferArgs& args) {
  const auto& attrs = args.get<AttentionPoolAttrs>();
  const int count = input_count(attrs);
  expect_inputs_of_dtype(args, count - (attrs.ragged ? 1 : 0));
  const Shape &h = args.shape(0), &v = args.shape(1);
  if (h.rank() != 2 || v.rank() != 2 || h[1] != v[0] || h[1] < 1 || v[1] < 1)
    throw ShapeError(
        fmt::format("[{}] instances {} with V {}; expected (instances, features) and (features, "
                    "hidden), at least 1 feature and 1 hidden",
                    args.op, h.to_string(), v.to_string()));
  const Dim hidden = v[1];
  int i = 2;
  if (attrs.biases) expect_shape(args, i++, "bias of V", {hidden});
  if (attrs.gated) expect_shape(args, i++, "U", v);
  if (attrs.gated && attrs.biases) expect_shape(args, i++, "bias of U", {hidden});
  expect_shape(args, i++, "w", {hidden, 1});
  if (attrs.biases) expect_shape(args, i++, "bias of w", {1});
  if (attrs.ragged) expect_offsets(args, i);
  const Dim bags = attrs.ragged ? args.shape(i)[0] - 1 : 1;
  return {h[0], h[1], hidden, attrs.gated ? 2 * hidden : hidden, bags};
}

Dim kept_rows(const AttentionPoolAttrs& attrs, const PoolShape& s, DType dtype) {
  return attrs.kept_rows(s.instances, s.columns, size_of(dtype));
}

std::vector<Spec> infer_pool(const InferArgs& args) {
  const auto& attrs = args.get<AttentionPoolAttrs>();
  expect_inputs(args, input_count(attrs));
  const PoolShape s = infer_common(args);
  const DType dtype = args.dtype(0);
  return {{{s.bags, s.features}, dtype},
          {{s.instances, 1}, dtype},
          {{kept_rows(attrs, s, dtype), s.columns}, dtype}};
}

std::vector<Spec> infer_gradient(const InferArgs& args) {
  const auto& attrs = args.get<AttentionPoolAttrs>();
  const int count = input_count(attrs);
  expect_inputs(args, count + 4);
  const PoolShape s = infer_common(args);
  expect_shape(args, count, "alpha", {s.instances, 1});
  expect_shape(args, count + 1, "gates", {kept_rows(attrs, s, args.dtype(0)), s.columns});
  expect_shape(args, count + 2, "gradient of pooled", {s.bags, s.features});
  expect_shape(args, count + 3, "gradient of alpha", {s.instances, 1});
  std::vector<Spec> outputs(args.inputs.begin(),
                            args.inputs.begin() + (count - (attrs.ragged ? 1 : 0)));
  if (!attrs.input_gradient) outputs[0].shape[0] = 0;
  return outputs;
}

// ---- the same by other operations

Tensor sum_of_bag(const Tensor& x, const Tensor& offsets) {
  return offsets.defined() ? segment_sum(x, offsets) : sum(x, {0}, true);
}
Tensor to_instances(const Tensor& y, const Tensor& offsets, const Tensor& like) {
  return offsets.defined() ? segment_broadcast(y, offsets, like) : broadcast_like(y, like);
}
Tensor no_rows(const Tensor& x) { return slice(x, {.axis = 0, .start = 0, .stop = 0}); }

/// tanh(h V + b_v) and sigmoid(h U + b_u); undefined without a gate.
struct Gates {
  Tensor a, u;
  explicit Gates(const PoolInputs& in) : a(tanh(linear(in.h, in.v, in.v_bias))) {
    if (in.u.defined()) u = sigmoid(linear(in.h, in.u, in.u_bias));
  }
  Gates(const Tensor& kept, const AttentionPoolAttrs& attrs) : a(kept) {
    if (!attrs.gated) return;
    const Tensors halves = split(kept, 2, 1);
    a = halves[0], u = halves[1];
  }
  Tensor product() const { return u.defined() ? a * u : a; }
};

Tensor attention(const PoolInputs& in, const Gates& gates) {
  const Tensor scores = linear(gates.product(), in.w, in.w_bias);
  return in.offsets.defined() ? segment_softmax(scores, in.offsets) : softmax(scores, 0);
}

Tensors pool_reference(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& pool = std::get<AttentionPoolAttrs>(attrs);
  const PoolInputs in(inputs, pool);
  const Gates gates(in);
  const Tensor alpha = attention(in, gates);
  const Tensor all = pool.gated ? concat({gates.a, gates.u}, 1) : gates.a;
  const Dim rows = pool.kept_rows(all.size(0), all.size(1), size_of(all.dtype()));
  return {sum_of_bag(alpha * in.h, in.offsets), alpha, rows == all.size(0) ? all : no_rows(all)};
}

/// Gradients of h, V, b_v, U, b_u, w, b_w; undefined where there is no such input.
struct PoolGradients {
  Tensor h, v, v_bias, u, u_bias, w, w_bias;

  /// Adds what comes through the products h V + b_v and h U + b_u.
  void add_products(const PoolInputs& in, const Tensor& dv, const Tensor& du) {
    const auto add = [](Tensor& sum, const Tensor& term) {
      sum = sum.defined() ? sum + term : term;
    };
    add(h, matmul(dv, in.v, {.transpose_b = true}));
    add(v, matmul(in.h, dv, {.transpose_a = true}));
    if (in.v_bias.defined()) add(v_bias, sum(dv, {0}));
    if (!in.u.defined()) return;
    add(h, matmul(du, in.u, {.transpose_b = true}));
    add(u, matmul(in.h, du, {.transpose_a = true}));
    if (in.u_bias.defined()) add(u_bias, sum(du, {0}));
  }
  /// Adds what comes through tanh and sigmoid, whose gradients are given.
  void add_gates(const PoolInputs& in, const Gates& gates, const Gates& g) {
    const Tensor dv = g.a * (1.0 - square(gates.a));
    add_products(in, dv, in.u.defined() ? g.u * gates.u * (1.0 - gates.u) : Tensor());
  }
  /// In the order of the inputs.
  Tensors list(const AttentionPoolAttrs& attrs) const {
    Tensors result{h, v};
    if (attrs.biases) result.push_back(v_bias);
    if (attrs.gated) result.push_back(u);
    if (attrs.gated && attrs.biases) result.push_back(u_bias);
    result.push_back(w);
    if (attrs.biases) result.push_back(w_bias);
    return result;
  }
};

/// For the gradients g of pooled and r of alpha.
PoolGradients pool_gradients(const PoolInputs& in, const Gates& gates, const Tensor& alpha,
                             const Tensor& g, const Tensor& r) {
  const Tensor of_instances = to_instances(g, in.offsets, in.h);
  const Tensor weighted = alpha * (sum(in.h * of_instances, {1}, true) + r);
  const Tensor mean = to_instances(sum_of_bag(weighted, in.offsets), in.offsets, alpha);
  const Tensor ds = weighted - alpha * mean;
  PoolGradients result;
  result.w = matmul(gates.product(), ds, {.transpose_a = true});
  if (in.w_bias.defined()) result.w_bias = sum(ds, {0});
  result.h = alpha * of_instances;
  Gates of_gates = gates;
  const Tensor dy = matmul(ds, in.w, {.transpose_b = true});
  of_gates.a = gates.u.defined() ? dy * gates.u : dy;
  if (gates.u.defined()) of_gates.u = dy * gates.a;
  result.add_gates(in, gates, of_gates);
  return result;
}

Tensors gradient_reference(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& pool = std::get<AttentionPoolAttrs>(attrs);
  const PoolInputs in(inputs, pool);
  const auto rest = inputs.subspan(in.count);
  const Gates gates = rest[1].size(0) == in.h.size(0) ? Gates(rest[1], pool) : Gates(in);
  PoolGradients result = pool_gradients(in, gates, rest[0], rest[2], rest[3]);
  if (pool.through_relu) result.h = result.h * sign(in.h);
  if (!pool.input_gradient) result.h = no_rows(result.h);
  return result.list(pool);
}

// ---- the gradient rule

Tensor or_zeros(const Tensor& g, const Tensor& like) {
  return g.defined() ? g : broadcast_like(scalar(0, like.dtype()), like);
}

/// Whether someone will ask for the derivative of the gradient.
bool differentiates_on(const VjpArgs& v) {
  return grad_enabled() && std::any_of(v.inputs.begin(), v.inputs.end(),
                                       [](const Tensor& x) { return x.requires_grad(); });
}

Tensors fused_gradients(const VjpArgs& v, const Tensor& g, const Tensor& r) {
  auto attrs = v.get<AttentionPoolAttrs>();
  attrs.input_gradient = v.needs(0);
  Tensors inputs(v.inputs.begin(), v.inputs.end());
  inputs.insert(inputs.end(), {v.out(1), v.out(2), g, r});
  Tensors result = apply(Op::gated_attention_pool_gradient, attrs, inputs);
  if (!attrs.input_gradient) result[0] = Tensor();
  return result;
}

void add_to(Tensors& sums, const Tensors& terms) {
  for (std::size_t i = 0; i < terms.size(); ++i)
    if (terms[i].defined()) sums[i] = sums[i].defined() ? sums[i] + terms[i] : terms[i];
}

// The fused gradient is one operation without a rule; a derivative of it is one of its reference.
Tensors pool_vjp(const VjpArgs& v) {
  const auto& attrs = v.get<AttentionPoolAttrs>();
  const PoolInputs in(v.inputs, attrs);
  const bool further = differentiates_on(v);
  Tensors result(v.inputs.size() - (attrs.ragged ? 1 : 0));
  if (v.g(0).defined() || v.g(1).defined()) {
    const Tensor g = or_zeros(v.g(0), v.out(0)), r = or_zeros(v.g(1), v.out(1));
    if (further) {
      const Gates gates(in);
      result = pool_gradients(in, gates, attention(in, gates), g, r).list(attrs);
    } else {
      result = fused_gradients(v, g, r);
    }
  }
  if (v.g(2).defined() && v.out(2).size(0) == in.h.size(0)) {
    PoolGradients through_gates;
    through_gates.add_gates(in, further ? Gates(in) : Gates(v.out(2), attrs), Gates(v.g(2), attrs));
    add_to(result, through_gates.list(attrs));
  }
  return result;
}

// ---- tests and costs

/// Inputs of both operations: 5 instances, or 3, of 4 features, hidden 3.
std::vector<SampleInput> sample_inputs(Dim instances, const AttentionPoolAttrs& attrs) {
  std::vector<SampleInput> inputs{{{instances, 4}}, {{4, 3}}};
  if (attrs.biases) inputs.push_back({{3}});
  if (attrs.gated) inputs.push_back({{4, 3}});
  if (attrs.gated && attrs.biases) inputs.push_back({{3}});
  inputs.push_back({{3, 1}});
  if (attrs.biases) inputs.push_back({{1}});
  if (attrs.ragged) inputs.push_back({{4}, Domain::offsets, instances});
  return inputs;
}

struct PoolCase {
  Dim instances;
  AttentionPoolAttrs attrs;
};
std::vector<PoolCase> pool_cases() {
  return {{5, {}},
          {5, {.kept = KeptGates::none}},
          {6, {.biases = true, .ragged = true}},
          {6, {.biases = true, .ragged = true, .kept = KeptGates::none}},
          {4, {.gated = false}},
          {4, {.gated = false, .biases = true, .kept = KeptGates::none}},
          {3, {.kept = KeptGates::small}},
          {1, {.biases = true}}};
}

std::vector<Sample> pool_samples() {
  std::vector<Sample> samples;
  for (const auto& [instances, attrs] : pool_cases())
    samples.push_back({sample_inputs(instances, attrs), attrs});
  return samples;
}

std::vector<Sample> gradient_samples() {
  std::vector<PoolCase> cases = pool_cases();
  cases.push_back({5, {.input_gradient = false}});
  cases.push_back({5, {.through_relu = true}});
  std::vector<Sample> samples;
  for (const auto& [instances, attrs] : cases) {
    std::vector<SampleInput> inputs = sample_inputs(instances, attrs);
    inputs.push_back({{instances, 1}, Domain::unit});
    inputs.push_back(
        {{attrs.kept == KeptGates::none ? 0 : instances, attrs.gated ? 6 : 3}, Domain::symmetric});
    inputs.push_back({{attrs.ragged ? 3 : 1, 4}});
    inputs.push_back({{instances, 1}});
    samples.push_back({inputs, attrs});
  }
  return samples;
}

std::vector<BadSample> pool_bad_samples() {
  const Spec h{{5, 4}, DType::float32}, v{{4, 3}, DType::float32}, w{{3, 1}, DType::float32};
  return {{{h, v, {{4, 2}, DType::float32}, w},
           AttentionPoolAttrs{},
           "U of shape (4, 2) for instances (5, 4) and V (4, 3); expected (4, 3)"},
          {{h, w, w, w}, AttentionPoolAttrs{}, "instances (5, 4) with V (3, 1)"},
          {{h, v, {{4, 3}, DType::float64}, w}, AttentionPoolAttrs{}, "input 2 is float64"},
          {{h, v, v, w, {{3}, DType::int32}},
           AttentionPoolAttrs{.ragged = true},
           "offsets are int32 (3,); expected int64"}};
}

std::vector<BadSample> gradient_bad_samples() {
  const Spec h{{5, 4}, DType::float32}, v{{4, 3}, DType::float32}, w{{3, 1}, DType::float32};
  const Spec alpha{{5, 1}, DType::float32}, gates{{5, 6}, DType::float32},
      g{{1, 4}, DType::float32};
  return {{{h, v, v, w, alpha, gates, g, g},
           AttentionPoolAttrs{},
           "gradient of alpha of shape (1, 4) for instances (5, 4) and V (4, 3); expected (5, 1)"},
          {{h, v, v, w, alpha, gates, g, alpha},
           AttentionPoolAttrs{.kept = KeptGates::none},
           "gates of shape (5, 6)"}};
}

double product_flops(std::span<const Spec> inputs, const AttentionPoolAttrs& attrs) {
  return 2.0 * static_cast<double>(inputs[0].shape.numel()) *
         static_cast<double>(inputs[1].shape[1] * (attrs.gated ? 2 : 1));
}

/// Flops of tanh, sigmoid and score, per gate.
constexpr double kGateFlops = 30;

Cost pool_cost(std::span<const Spec> inputs, std::span<const Spec> outputs, const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  const double products = product_flops(inputs, std::get<AttentionPoolAttrs>(attrs));
  const auto features = static_cast<double>(inputs[0].shape[1]);
  cost.flops = products * (1 + kGateFlops / 2 / features);
  return cost;
}

Cost gradient_cost(std::span<const Spec> inputs, std::span<const Spec> outputs,
                   const Attrs& attrs) {
  Cost cost = streaming_cost<0>(inputs, outputs, attrs);
  const auto& pool = std::get<AttentionPoolAttrs>(attrs);
  const Spec& gates = inputs[static_cast<std::size_t>(input_count(pool)) + 1];
  const bool again = gates.shape[0] != inputs[0].shape[0];
  const double products = 1 + (pool.input_gradient ? 1 : 0) + (again ? 1 : 0);
  cost.flops = product_flops(inputs, pool) * products;
  return cost;
}

std::size_t pool_workspace(std::span<const Spec> inputs, const Attrs& attrs) {
  const auto& pool = std::get<AttentionPoolAttrs>(attrs);
  const std::size_t element = size_of(inputs[0].dtype);
  const cpu::AttentionSizes sizes(inputs[0].shape, inputs[1].shape, pool, element);
  return cpu::attention_scratch(sizes, pool, element).bytes;
}
std::size_t gradient_workspace(std::span<const Spec> inputs, const Attrs& attrs) {
  const auto& pool = std::get<AttentionPoolAttrs>(attrs);
  const std::size_t element = size_of(inputs[0].dtype);
  const cpu::AttentionSizes sizes(inputs[0].shape, inputs[1].shape, pool, element);
  return cpu::attention_gradient_scratch(sizes, pool, element).bytes;
}

}  // namespace

constinit const OpDef op_gated_attention_pool{
    .name = "gated_attention_pool",
    .doc = "sum of instances weighted by the softmax of (tanh(h V) * sigmoid(h U)) w, per bag",
    .dtypes = kFloating,
    .infer = infer_pool,
    .vjp = differentiable(pool_vjp),
    .saves = kSavesAllInputs | saves_output(1) | saves_output(2),
    .samples = pool_samples,
    .bad_samples = pool_bad_samples,
    .cost = pool_cost,
    .reference = pool_reference,
    .workspace = pool_workspace,
};

constinit const OpDef op_gated_attention_pool_gradient{
    .name = "gated_attention_pool_gradient",
    .doc = "gradients of gated_attention_pool for its instances and weights",
    .dtypes = kFloating,
    .infer = infer_gradient,
    .vjp = not_differentiable(
        "where a further derivative is asked for, the gradient of gated_attention_pool is made of "
        "other operations"),
    .saves = kSavesNothing,
    .samples = gradient_samples,
    .bad_samples = gradient_bad_samples,
    .cost = gradient_cost,
    .in_place = true,
    .reference = gradient_reference,
    .workspace = gradient_workspace,
};

namespace {

KeptGates kept_gates(const AttentionPoolOptions& options, const Tensors& inputs) {
  const bool tracked = grad_enabled() && std::any_of(inputs.begin(), inputs.end(),
                                                     [](auto& x) { return x.requires_grad(); });
  using enum AttentionPoolOptions::Gates;
  if (!tracked || options.gates == recompute) return KeptGates::none;
  return options.gates == keep ? KeptGates::all : KeptGates::small;
}

}  // namespace

AttentionPool gated_attention_pool(const Tensor& instances, const AttentionWeights& weights,
                                   const AttentionPoolOptions& options) {
  AttentionPoolAttrs attrs{.gated = weights.gate.defined(),
                           .biases = weights.value_bias.defined() || weights.gate_bias.defined() ||
                                     weights.score_bias.defined(),
                           .ragged = options.offsets.defined()};
  const Dim hidden = weights.value.rank() == 2 ? weights.value.size(1) : 1;
  const auto bias = [&](const Tensor& given, Dim size) {
    return given.defined() ? given : zeros({size}, instances.dtype());
  };
  Tensors inputs{instances, weights.value};
  if (attrs.biases) inputs.push_back(bias(weights.value_bias, hidden));
  if (attrs.gated) inputs.push_back(weights.gate);
  if (attrs.gated && attrs.biases) inputs.push_back(bias(weights.gate_bias, hidden));
  inputs.push_back(weights.score);
  if (attrs.biases) inputs.push_back(bias(weights.score_bias, 1));
  if (attrs.ragged) {
    check_offsets("gated_attention_pool", options.offsets, instances);
    inputs.push_back(options.offsets);
  }
  attrs.kept = kept_gates(options, inputs);
  Tensors outputs = apply(Op::gated_attention_pool, attrs, inputs);
  return {outputs[0], outputs[1]};
}

}  // namespace milgrad
