// cross_entropy: softmax followed by the cross-entropy of probabilities (normalised, clipped)
// becomes one operation, and so does its gradient.
#include "autograd/grad.h"
#include "autograd/passes/pass.h"
#include "autograd/passes/pattern.h"
#include "autograd/trace.h"
#include "tensor/ops.h"

namespace milgrad::passes {
namespace {

using Operation = Graph::Operation;

/// What a loss does with probabilities, as a function of logits, targets and cotangents of the
/// losses: probabilities, losses, gradient of the logits.
Tensors loss_and_gradient(const Tensors& in, const NumberAttrs& bounds) {
  const Tensor logits = requires_grad(in[0]);
  const Tensor p = softmax(logits, 1);
  const Tensor logarithm = log(clip(div(p, sum(p, {1}, true)), bounds.a, bounds.b));
  const Tensor losses = neg(sum(mul(in[1], logarithm), {1}));
  return {p, losses, grad(Tensors{losses}, Tensors{logits}, {.cotangents = {in[2]}})[0]};
}

Graph traced(const Spec& logits, const NumberAttrs& bounds) {
  return trace([&](const Tensors& in) { return loss_and_gradient(in, bounds); },
               {logits, logits, {Shape{logits.shape[0]}, logits.dtype}});
}

/// The bounds, if the clip is of a softmax over classes that was divided by its sum.
const Operation* softmax_before(const Graph& graph, const GraphIndex& index,
                                const Operation& clip) {
  const Operation* share = index.produced_by(clip.inputs[0], Op::div);
  const Operation* p =
      share == nullptr ? nullptr : index.produced_by(share->inputs[0], Op::softmax);
  return p != nullptr && graph.spec(p->outputs[0]).shape.rank() == 2 ? p : nullptr;
}

/// A use of `value` by an operation of this kind; -1 if there is none.
int user(const Graph& graph, const GraphIndex& index, Value value, Op op) {
  for (const Use& use : index.uses(value))
    if (graph.operation(use.operation).op == op) return use.operation;
  return -1;
}

/// Replaces the losses of this clip; false if they are not computed so.
bool fuse_forward(Graph& graph, const GraphIndex& index, const Operation& clip,
                  const Operation& softmax) {
  const auto bounds = std::get<NumberAttrs>(clip.attrs);
  const Graph whole = traced(graph.spec(softmax.inputs[0]), bounds);
  const Pattern pattern(whole, whole.outputs[1], {whole.inputs[0], whole.inputs[1]});
  for (int i = 0; i < static_cast<int>(graph.operations.size()); ++i) {
    const Operation& last = graph.operation(i);
    if (last.op != Op::neg) continue;
    const auto found = pattern.find(graph, index, last.outputs[0]);
    if (!found || found->values.at(whole.outputs[0]) != softmax.outputs[0]) continue;
    if (!index.can_fuse(found->operations)) return false;
    // Others may read what lies between; it goes as dead code if nobody does.
    rewrite(graph, std::vector<int>{index.producer(softmax.outputs[0]), i},
            {{Op::clipped_softmax_cross_entropy,
              bounds,
              {found->values.at(whole.inputs[0]), found->values.at(whole.inputs[1])},
              {softmax.outputs[0], last.outputs[0]},
              last.scope}});
    return true;
  }
  return false;
}

/// Replaces the gradient of the logits of this clip.
bool fuse_backward(Graph& graph, const GraphIndex& index, const Operation& clip,
                   const Operation& softmax) {
  const auto bounds = std::get<NumberAttrs>(clip.attrs);
  const Graph whole = traced(graph.spec(softmax.inputs[0]), bounds);
  const Pattern pattern(whole, whole.outputs[2],
                        {whole.outputs[0], whole.inputs[1], whole.inputs[2]});
  for (int i = 0; i < static_cast<int>(graph.operations.size()); ++i) {
    const Operation last = graph.operation(i);
    if (last.op != Op::softmax_gradient) continue;
    const auto found = pattern.find(graph, index, last.outputs[0]);
    if (!found || found->values.at(whole.outputs[0]) != softmax.outputs[0]) continue;
    rewrite(graph, std::vector<int>{i},
            {{Op::clipped_softmax_cross_entropy_gradient,
              bounds,
              {softmax.outputs[0], found->values.at(whole.inputs[1]),
               found->values.at(whole.inputs[2])},
              last.outputs,
              last.scope}});
    return true;
  }
  return false;
}

bool fuse(Graph& graph, const GraphIndex& index, int i) {
  const Operation& clip = graph.operation(i);
  if (clip.op != Op::clip) return false;
  const Operation* softmax = softmax_before(graph, index, clip);
  if (softmax == nullptr || graph.spec(clip.outputs[0]).shape.has_symbol() ||
      user(graph, index, clip.outputs[0], Op::log) < 0)
    return false;
  return fuse_backward(graph, index, clip, *softmax) || fuse_forward(graph, index, clip, *softmax);
}

}  // namespace

void cross_entropy(Graph& graph) {
  while (rewrite_somewhere(graph, fuse)) remove_dead(graph);
}

}  // namespace milgrad::passes
