// The reverse walk.
#include "autograd/grad.h"

#include "tensor/apply.h"
#include "tensor/mode.h"
#include "tensor/node.h"
#include "tensor/ops.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

namespace milgrad {
namespace {

class ReverseWalk {
 public:
  ReverseWalk(const Tensors& outputs, const GradOptions& options) : options_(options) {
    std::vector<std::shared_ptr<Node>> pending;
    for (const Tensor& y : outputs)
      if (y.requires_grad()) pending.push_back(y.edge().node);
    while (!pending.empty()) {
      auto node = std::move(pending.back());
      pending.pop_back();
      if (!index_.emplace(node.get(), steps_.size()).second) continue;
      for (const Edge& edge : node->inputs)
        if (edge) pending.push_back(edge.node);
      steps_.push_back({.node = std::move(node)});
    }
    // Creation order is a topological order: later nodes only read from earlier ones.
    std::sort(steps_.begin(), steps_.end(),
              [](const Step& a, const Step& b) { return a.node->order < b.node->order; });
    for (std::size_t i = 0; i < steps_.size(); ++i) index_[steps_[i].node.get()] = i;
  }

  /// Restricts the walk to what leads to these tensors.
  void want(const Tensors& wrt) {
    for (const Tensor& x : wrt)
      if (Step* step = find(x.edge().node.get())) step->needed = step->kept = true;
    for (Step& step : steps_)
      for (const Edge& edge : step.node->inputs)
        if (edge && find(edge.node.get())->needed) step.needed = true;
  }

  void want_leaves() {
    for (Step& step : steps_) step.needed = true;
  }

  void seed(const Tensor& output, const Tensor& cotangent) {
    if (output.requires_grad()) accumulate(output.edge(), cotangent, output);
  }

  void run() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
      if (step->node->op) {
        if (step->needed && !step->cotangents.empty()) visit(*step);
        if (!step->kept) step->cotangents.clear();
      }
  }

  Tensor gradient(const Edge& edge) const {
    const auto found = index_.find(edge.node.get());
    if (found == index_.end()) return {};
    const Tensors& cotangents = steps_[found->second].cotangents;
    const auto i = static_cast<std::size_t>(edge.index);
    return i < cotangents.size() ? cotangents[i] : Tensor();
  }

  template <class F>
  void each_leaf(const F& f) const {
    for (const Step& step : steps_)
      if (!step.node->op && !step.cotangents.empty()) f(step.node, step.cotangents[0]);
  }

 private:
  struct Step {
    std::shared_ptr<Node> node;
    Tensors cotangents = {};  // one per output, undefined = zero
    bool needed = false;
    bool kept = false;  // its cotangents are asked for
  };

  Step* find(const Node* node) {
    const auto found = index_.find(node);
    return found == index_.end() ? nullptr : &steps_[found->second];
  }

  /// Adds to the cotangent of an edge; `like` has the shape of the value there. This is the one
  /// place where broadcasting is undone.
  void accumulate(const Edge& edge, const Tensor& g, const Tensor& like) {
    Tensors& cotangents = find(edge.node.get())->cotangents;
    const auto i = static_cast<std::size_t>(edge.index);
    if (cotangents.size() <= i) cotangents.resize(i + 1);
    const Tensor fitting = sum_to_like(g, like);
    cotangents[i] = cotangents[i].defined() ? add(cotangents[i], fitting) : fitting;
  }

  void visit(Step& step) {
    const Node& node = *step.node;
    const OpDef& def = definition(*node.op);
    std::uint64_t needed = 0;
    bool any = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.inputs[i] || !find(node.inputs[i].node.get())->needed) continue;
      any = true;
      if (i < 64) needed |= std::uint64_t{1} << i;
    }
    if (!any) return;
    if (def.vjp.value.rule == nullptr)
      throw GradientError(
          fmt::format("[{}] is not differentiable: {}", def.name.value, def.vjp.value.why_not),
          "use stop_gradient() on its inputs, or take it out of the loss");
    call_rule(step, def, needed);
  }

  void call_rule(Step& step, const OpDef& def, std::uint64_t needed) {
    const Node& node = *step.node;
    Tensors inputs, outputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      inputs.push_back(node.saved_inputs[i].restore(options_.create_graph ? node.inputs[i] : Edge{},
                                                    def.name.value));
    for (std::size_t i = 0; i < node.saved_outputs.size(); ++i)
      outputs.push_back(node.saved_outputs[i].restore(
          options_.create_graph ? Edge{step.node, static_cast<int>(i)} : Edge{}, def.name.value));
    step.cotangents.resize(outputs.size());
    const Tensors gradients = def.vjp.value.rule({.attrs = node.attrs,
                                                  .inputs = inputs,
                                                  .outputs = outputs,
                                                  .cotangents = step.cotangents,
                                                  .needed = needed});
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const bool wanted = node.inputs[i] && (i >= 64 || ((needed >> i) & 1u));
      if (wanted && i < gradients.size() && gradients[i].defined())
        accumulate(node.inputs[i], gradients[i], inputs[i]);
    }
  }

  const GradOptions& options_;
  std::vector<Step> steps_;
  std::unordered_map<const Node*, std::size_t> index_;
};

void check_cotangents(const Tensors& outputs, const GradOptions& options) {
  if (!options.cotangents.empty() && options.cotangents.size() != outputs.size())
    throw ValueError(fmt::format("[grad] {} cotangents for {} outputs", options.cotangents.size(),
                                 outputs.size()),
                     "give one per output");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool given = !options.cotangents.empty() && options.cotangents[i].defined();
    if (given && !(options.cotangents[i].shape() == outputs[i].shape()))
      throw ShapeError(fmt::format("[grad] cotangent {} has shape {}, its output {}", i,
                                   options.cotangents[i].shape().to_string(),
                                   outputs[i].shape().to_string()));
    if (given && is_floating(outputs[i].dtype()) &&
        options.cotangents[i].dtype() != outputs[i].dtype())
      throw DTypeError(
          fmt::format("[grad] cotangent {} is {}, its output {}", i,
                      name_of(options.cotangents[i].dtype()), name_of(outputs[i].dtype())),
          "dtypes are never promoted; use cast()");
    if (options.cotangents.empty() && (outputs[i].shape().has_symbol() || outputs[i].numel() != 1))
      throw ShapeError(fmt::format("[grad] output {} has shape {}; only a single element has a "
                                   "gradient without cotangents",
                                   i, outputs[i].shape().to_string()),
                       "sum() it, or give cotangents");
  }
}

void seed_all(ReverseWalk& walk, const Tensors& outputs, const GradOptions& options) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (options.cotangents.empty())
      walk.seed(outputs[i], full(outputs[i].shape(), 1, outputs[i].dtype()));
    else if (options.cotangents[i].defined())
      walk.seed(outputs[i], options.cotangents[i]);
  }
}

Tensor zeros_like(const Tensor& x) { return broadcast_like(scalar(0, x.dtype()), x); }

}  // namespace

Tensors grad(const Tensors& outputs, const Tensors& wrt, const GradOptions& options) {
  check_cotangents(outputs, options);
  for (std::size_t i = 0; i < wrt.size(); ++i)
    if (!wrt[i].requires_grad())
      throw GradientError(
          fmt::format("[grad] tensor {} ({}) is not tracked", i, wrt[i].spec().to_string()),
          "pass it through requires_grad() before computing with it, or use a "
          "trainable Variable");
  ReverseWalk walk(outputs, options);
  walk.want(wrt);
  std::optional<NoGrad> no_grad;
  if (!options.create_graph) no_grad.emplace();
  seed_all(walk, outputs, options);
  walk.run();
  Tensors result;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    Tensor g = walk.gradient(wrt[i].edge());
    if (!g.defined() && options.strict)
      throw GradientError(fmt::format("[grad] no path leads from the outputs to tensor {} ({})", i,
                                      wrt[i].spec().to_string()),
                          "leave out `strict` to get zeros");
    result.push_back(g.defined() ? g : zeros_like(wrt[i]));
  }
  return result;
}

Tensor grad(const Tensor& output, const Tensor& wrt, const GradOptions& options) {
  return grad(Tensors{output}, Tensors{wrt}, options)[0];
}

Tensor Gradients::operator[](const Tensor& leaf) const {
  const Node* node = leaf.edge().node.get();
  if (node == nullptr || node->op)
    throw GradientError(
        fmt::format("[backward] a tensor {} that is {} has no gradient here",
                    leaf.spec().to_string(), node == nullptr ? "not tracked" : "not a leaf"),
        "leaves are trainable variables and what requires_grad() returns; ask "
        "grad() for others");
  const auto found = by_leaf_.find(node);
  return found == by_leaf_.end() ? zeros_like(leaf) : found->second;
}

Gradients backward(const Tensor& loss) {
  const GradOptions options;
  check_cotangents({loss}, options);
  ReverseWalk walk({loss}, options);
  walk.want_leaves();
  const NoGrad no_grad;
  seed_all(walk, {loss}, options);
  walk.run();
  Gradients gradients;
  walk.each_leaf([&](const std::shared_ptr<Node>& leaf, const Tensor& g) {
    gradients.by_leaf_.emplace(leaf.get(), g);
    gradients.leaves_.push_back(leaf);
  });
  return gradients;
}

namespace {

/// Whether no input stands for another one or is computed from one.
bool independent(const Tensors& inputs) {
  std::unordered_set<const Node*> leaves;
  for (const Tensor& x : inputs) {
    const Node* node = x.edge().node.get();
    if (node != nullptr && (node->op || !leaves.insert(node).second)) return false;
  }
  return true;
}

}  // namespace

Tensor with_own_node(const Tensor& x) {
  if (!x.requires_grad()) return requires_grad(x);
  return apply_one(Op::reshape_like, NoAttrs{}, {x, x});
}

ValueAndGrad value_and_grad(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                            const GradOptions& options) {
  const bool tracking_outside = grad_enabled();
  const EnableGrad tracking;
  const bool as_they_are = independent(inputs);
  Tensors tracked;
  for (const Tensor& x : inputs)
    tracked.push_back(as_they_are && x.requires_grad() ? x : with_own_node(x));
  const Tensor value = f(tracked);
  return {tracking_outside ? value : value.stop_gradient(), grad(Tensors{value}, tracked, options)};
}

}  // namespace milgrad
