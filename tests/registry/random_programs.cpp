// Composing functions by chance.
#include "tests/registry/random_programs.h"

#include "autograd/grad.h"
#include "nn/optimizers.h"
#include "tensor/apply.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/random.h"
#include "tests/registry/sample_tensors.h"

#include <algorithm>
#include <memory>
#include <random>

namespace milgrad::test {
namespace {

using Domain = SampleInput::Domain;
constexpr std::size_t kReplays = 3;

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
  bool in(std::size_t outcomes) { return below(outcomes) == 0; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

 private:
  std::mt19937_64 random_;
};

Tensor normal(const Shape& shape, DType dtype, std::uint64_t seed) {
  return converted(sample_tensor({.shape = shape}, seed), dtype);
}

/// The elements of x, as many as the shape takes, repeated where they are too few.
Tensor fitted(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const Dim have = x.numel(), want = shape.numel();
  if (have == want) return reshape(x, shape);
  const Tensor flat = reshape(x, {have});
  if (have > want) return reshape(slice(flat, {.axis = 0, .start = have - want}), shape);
  return broadcast_to(reshape(slice(flat, {.axis = 0, .stop = 1}), {}), shape);
}

/// Operations that jump where rounding differs, that a program's passes may change, or that need
/// more than tensors.
bool is_excluded(Op op) {
  switch (op) {
    case Op::custom:
    case Op::floor:
    case Op::round:
    case Op::sign:
    case Op::argmax:
    case Op::argmin:
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return true;
    default:
      return definition(op).mutates != 0;
  }
}

/// Results may be large; they go through tanh before anything else reads them.
bool may_grow(Op op) {
  switch (op) {
    case Op::exp:
    case Op::expm1:
    case Op::pow:
    case Op::div:
    case Op::reciprocal:
    case Op::rsqrt:
    case Op::log:
    case Op::log1p:
    case Op::prod:
    case Op::prod_of_others:
      return true;
    default:
      return false;
  }
}

class Composer {
 public:
  struct World {
    std::uint64_t seed;
    DType dtype;
    std::vector<Variable> variables;
    RandomGenerator random;
  };

  explicit Composer(const World& world) : world_(world), chance_(world.seed) {}

  Tensors run(const Tensors& inputs) {
    for (const Tensor& x : inputs) add({requires_grad(x)});
    for (std::size_t v = 0; v < world_.variables.size(); ++v) add_variable(v);
    const std::size_t steps = 5 + chance_.below(8);
    for (std::size_t i = 0; i < steps; ++i) compose();
    if (chance_.in(2)) differentiate();
    for (std::size_t i = chance_.below(4); i > 0; --i) {
      update();
      compose();
    }
    Tensors outputs{pool_.back().tensor};
    for (std::size_t i = chance_.below(4); i > 0; --i)
      outputs.push_back(chance_.of(pool_).tensor.stop_gradient());
    return outputs;
  }

 private:
  struct Entry {
    Tensor tensor;
    int variable = -1;  // it is a view of this one
    bool grown = false;
  };

  void add(Entry entry) {
    if (entry.tensor.numel() > 0 && entry.tensor.numel() <= 512) pool_.push_back(std::move(entry));
  }
  void add_variable(std::size_t v) { add({world_.variables[v].value(), static_cast<int>(v)}); }

  /// Some floating value that came before, of this shape if there is one.
  Entry draw(const Shape& shape) {
    std::vector<Entry> floating, same;
    for (const Entry& entry : pool_)
      if (entry.tensor.dtype() == world_.dtype) {
        floating.push_back(entry);
        if (entry.tensor.shape() == shape) same.push_back(entry);
      }
    Entry entry = chance_.of(!same.empty() && !chance_.in(4) ? same : floating);
    if (entry.grown) entry = {tanh(entry.tensor)};
    entry.tensor = fitted(entry.tensor, shape);
    return entry;
  }

  Entry operand(const SampleInput& input) {
    const std::uint64_t seed = world_.seed + 7 * pool_.size();
    if (input.domain == Domain::integers || input.domain == Domain::offsets ||
        input.domain == Domain::boolean)
      return {sample_tensor(input, seed)};
    if (chance_.in(8)) return {converted(sample_tensor(input, seed), world_.dtype)};
    const Entry entry = draw(input.shape);
    switch (input.domain) {
      case Domain::nonzero:
      case Domain::positive:
        return {square(tanh(entry.tensor)) + 0.5};
      case Domain::unit:
      case Domain::symmetric:
        return {0.8 * sigmoid(entry.tensor) + 0.1};
      default:
        return entry;
    }
  }

  void compose() {
    if (chance_.in(10)) {
      const Entry entry = draw({2, 3});
      return add({dropout(entry.tensor, world_.random.next_key(), 0.4)});
    }
    if (chance_.in(10)) {  // apart by their attributes alone
      const Tensor x = draw({2, 3}).tensor;
      return add({clip(x, -0.1, 0.3) - clip(x, -0.3, 0.1)});
    }
    const Op op = static_cast<Op>(chance_.below(kOpCount));
    const OpDef& def = definition(op);
    const std::vector<Sample> samples = def.samples.value();
    const Sample& sample = chance_.of(samples);
    if (is_excluded(op)) return compose();
    std::vector<Entry> operands;
    Tensors inputs;
    for (const SampleInput& input : sample.inputs) {
      operands.push_back(operand(input));
      inputs.push_back(operands.back().tensor);
    }
    if (!inputs.empty() && !def.dtypes.value.contains(inputs[0].dtype())) return compose();
    const bool looks =
        def.alias != nullptr && def.alias(inputs[0].spec(), sample.attrs) != kNoAlias;
    for (const Tensor& y : apply(op, sample.attrs, inputs))
      add({y, looks ? operands[0].variable : -1, may_grow(op)});
  }

  void differentiate() {
    const Entry entry = draw({2, 3});
    Tensors wrt;
    for (const Variable& v : world_.variables) wrt.push_back(v.value());
    try {
      for (const Tensor& g : grad({sum(tanh(entry.tensor))}, wrt)) add({g, -1, true});
    } catch (const GradientError&) {
      // An operation without a gradient on the way: eager and traced alike.
    }
  }

  /// Changes a variable; what looked into it is not read any more.
  void update() {
    const std::size_t v = chance_.below(world_.variables.size());
    const Variable& variable = world_.variables[v];
    const Tensor value = tanh(draw(variable.shape()).tensor).stop_gradient();
    if (chance_.in(2))
      variable.assign(value);
    else
      sgd_update(variable, value, scalar(0.1, world_.dtype));
    std::erase_if(pool_, [&](const Entry& e) { return e.variable == static_cast<int>(v); });
    add_variable(v);
  }

  const World& world_;
  Chance chance_;
  std::vector<Entry> pool_;
};

/// A network of random sizes and its training.
class TrainStep {
 public:
  explicit TrainStep(std::uint64_t seed) : chance_(seed), seed_(seed) {
    dtype_ = chance_.in(2) ? DType::float32 : DType::float64;
    instances_ = 1 + chance_.below(4);
    features_ = chance_.of(std::vector<Dim>{3, 8, 17});
    hidden_ = chance_.of(std::vector<Dim>{4, 6, 33});
    attention_ = chance_.of(std::vector<Dim>{4, 5});
    bags_ = chance_.of(std::vector<Dim>{1, 1, 3});
    activation_ = static_cast<int>(chance_.below(4));
    gated_ = chance_.in(2);
    twice_ = chance_.in(4);
    bias_ = !chance_.in(4);
    penalty_ = chance_.in(2);
    clipped_ = chance_.in(4);
    returned_ = chance_.in(4);
    read_again_ = chance_.in(4);
    bytes_ = chance_.in(4);
    loss_ = static_cast<int>(chance_.below(4));
    pooled_ = bags_ == 1 && chance_.in(2);
    first_ = dense(features_, hidden_);
    v_ = dense(hidden_, attention_);
    u_ = dense(hidden_, attention_);
    score_ = weight({attention_, 1});
    head_ = dense(hidden_, 2);
    adam_ = chance_.in(2);
    if (adam_)
      optimizer_ = nn::Adam({.learning_rate = 0.001});
    else
      optimizer_ = nn::SGD({.learning_rate = 0.1, .momentum = chance_.in(2) ? 0.9 : 0.0});
  }

  bool uses_adam() const { return adam_; }

  std::vector<Tensors> arguments() const {
    std::vector<Tensors> sets;
    for (std::size_t k = 0; k < kReplays; ++k) {
      Tensors set;
      for (std::size_t i = 0; i < instances_; ++i) {
        const Tensor x = normal({bags_, features_}, dtype_, seed_ + 50 * k + i);
        set.push_back(bytes_ ? converted(converted(x, DType::int32), DType::uint8) : x);
      }
      set.push_back(sample_tensor({.shape = {bags_}, .domain = Domain::integers, .limit = 2},
                                  seed_ + 50 * k));
      sets.push_back(set);
    }
    return sets;
  }

  Tensors operator()(const Tensors& inputs) {
    if (!optimizer_->built()) optimizer_->build(variables_);
    Tensor loss = loss_of(forward({inputs.begin(), inputs.end() - 1}), inputs.back());
    if (penalty_) loss = loss + 0.01 * sum(square(first_.kernel.value()));
    Tensors leaves;
    for (const Variable& v : variables_) leaves.push_back(v.value());
    Tensors gradients = grad({loss}, leaves);
    Tensors results{loss.stop_gradient()};
    if (returned_) results.push_back(gradients[0]);
    optimizer_->apply(clipped_ ? clipped(gradients) : gradients);
    if (read_again_) results.push_back(sum(square(first_.kernel.value())));
    return results;
  }

 private:
  struct DenseWeights {
    Variable kernel, bias;
  };

  Variable weight(const Shape& shape) {
    variables_.emplace_back(normal(shape, dtype_, seed_ + 300 + variables_.size()));
    const NoGrad untracked;
    variables_.back().assign(variables_.back().value() * 0.3);
    return variables_.back();
  }
  DenseWeights dense(Dim in, Dim out) {
    const Variable kernel = weight({in, out});
    return {kernel, bias_ ? weight({out}) : Variable()};
  }
  Tensor apply_dense(const DenseWeights& w, const Tensor& x) const {
    return linear(x, w.kernel, w.bias.defined() ? w.bias.value() : Tensor());
  }

  Tensor activated(const Tensor& x) const {
    return activation_ == 0   ? x
           : activation_ == 1 ? relu(x)
           : activation_ == 2 ? tanh(x)
                              : sigmoid(x);
  }

  /// All instances of one bag at once.
  Tensor pooled(const Tensors& instances) const {
    const Tensor rows = concat(instances);
    const Tensor embedded = activated(apply_dense(first_, bytes_ ? cast(rows, dtype_) : rows));
    const AttentionPool pool = gated_attention_pool(
        embedded,
        {.value = v_.kernel, .gate = gated_ ? u_.kernel.value() : Tensor(), .score = score_});
    return apply_dense(head_, pool.pooled);
  }

  Tensor forward(const Tensors& instances) const {
    if (pooled_) return pooled(instances);
    Tensors embedded, scores;
    for (const Tensor& x : instances) {
      const Tensor values = bytes_ ? cast(x, dtype_) * (1.0 / 255) : x;
      embedded.push_back(activated(apply_dense(first_, values)));
      Tensor gate = tanh(apply_dense(v_, embedded.back()));
      if (gated_) gate = gate * sigmoid(apply_dense(twice_ ? v_ : u_, embedded.back()));
      scores.push_back(matmul(gate, score_));
    }
    // One instance has no choice of attention, and a gradient of nothing but rounding.
    if (instances_ == 1) return apply_dense(head_, embedded[0]);
    const Tensor alpha = softmax(stack(scores, 1), 1);  // [bags, instances, 1]
    const Tensor pooled = sum(alpha * stack(embedded, 1), {1});
    return apply_dense(head_, pooled);
  }

  Tensor loss_of(const Tensor& logits, const Tensor& labels) const {
    if (loss_ == 0) return mean(sparse_softmax_cross_entropy(logits, labels));
    const Tensor targets = one_hot(labels, 2, dtype_);
    if (loss_ == 1) return mean(square(sigmoid(logits) - targets));
    const Tensor p = softmax(logits);
    if (loss_ == 2) return neg(mean(sum(targets * log(p), {1})));
    // Keras's cross-entropy of probabilities.
    const Tensor share = clip(p / sum(p, {1}, true), 1e-7, 1 - 1e-7);
    return mean(neg(sum(targets * log(share), {1})));
  }

  /// Scaled to a global norm of 1 at most.
  static Tensors clipped(const Tensors& gradients) {
    Tensor squares = scalar(0, gradients[0].dtype());
    for (const Tensor& g : gradients) squares = squares + sum(square(g));
    const Tensor factor = 1.0 / maximum(sqrt(squares), scalar(1, squares.dtype()));
    Tensors result;
    for (const Tensor& g : gradients) result.push_back(g * factor);
    return result;
  }

  Chance chance_;
  std::uint64_t seed_;
  DType dtype_;
  std::size_t instances_;
  Dim features_, hidden_, attention_, bags_;
  int activation_, loss_;
  bool gated_, twice_, bias_, penalty_, clipped_, returned_, read_again_, bytes_, adam_, pooled_;
  std::vector<Variable> variables_;
  DenseWeights first_, v_, u_, head_;
  Variable score_;
  std::shared_ptr<nn::Optimizer> optimizer_;
};

}  // namespace

Subject random_composition(std::uint64_t seed) {
  const DType dtype = seed % 2 == 0 ? DType::float64 : DType::float32;
  const std::vector<Shape> shapes{{2, 3}, {4, 3}, {1, 5}};
  auto world =
      std::make_shared<Composer::World>(Composer::World{seed, dtype, {}, RandomGenerator(seed)});
  for (std::size_t v = 0; v < 2; ++v)
    world->variables.emplace_back(normal(shapes[v], dtype, seed + 90 + v));
  Subject subject{.function = [world](const Tensors& x) { return Composer(*world).run(x); }};
  for (std::size_t k = 0; k < kReplays; ++k) {
    subject.arguments.emplace_back();
    for (std::size_t i = 0; i < shapes.size(); ++i)
      subject.arguments.back().push_back(normal(shapes[i], dtype, seed + 10 * k + i));
  }
  return subject;
}

Subject random_train_step(std::uint64_t seed) {
  auto step = std::make_shared<TrainStep>(seed);
  return {.function = [step](const Tensors& x) { return (*step)(x); },
          .arguments = step->arguments(),
          .amplifies = step->uses_adam()};
}

}  // namespace milgrad::test
