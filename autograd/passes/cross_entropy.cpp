// cross_entropy: softmax followed by the cross-entropy of probabilities (normalised, clipped)
// becomes one operation, and so does its gradient.
#include "autograd/grad.h"
#include "autograd/passes/pass.h"
#include "autograd/passes/pattern.h"
#include "autograd/trace.h"
#include "tensor/ops.h"

#include <optional>

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

/// The probabilities whose shares are clipped: a softmax over classes; -1 if it is none.
Value probabilities_before(const Graph& graph, const GraphIndex& index, const Operation& clip) {
  const Operation* share = index.produced_by(clip.inputs[0], Op::div);
  if (share == nullptr || index.produced_by(share->inputs[0], Op::softmax) == nullptr) return -1;
  return graph.spec(share->inputs[0]).shape.rank() == 2 ? share->inputs[0] : -1;
}

struct Found {
  int last;  // the operation that computes the pattern's result
  Pattern::Match match;
};

/// Where the graph does what the pattern does with these probabilities.
std::optional<Found> find(const Graph& graph, const GraphIndex& index, const Pattern& pattern,
                          Op last, Value traced_probabilities, Value probabilities) {
  for (int i = 0; i < static_cast<int>(graph.operations.size()); ++i) {
    if (graph.operation(i).op != last) continue;
    auto match = pattern.find(graph, index, graph.operation(i).outputs[0]);
    if (match && match->values.at(traced_probabilities) == probabilities)
      return Found{i, std::move(*match)};
  }
  return {};
}

/// Replaces softmax and losses; false if they are not computed as traced.
bool fuse_forward(Graph& graph, const GraphIndex& index, const Graph& loss, const Attrs& bounds,
                  Value probabilities) {
  const Pattern pattern(loss, loss.outputs[1], {loss.inputs[0], loss.inputs[1]});
  const auto found = find(graph, index, pattern, Op::neg, loss.outputs[0], probabilities);
  if (!found || !index.can_fuse(found->match.operations)) return false;
  const auto& values = found->match.values;
  const Operation& last = graph.operation(found->last);
  // Others may read what lies between; it goes as dead code if nobody does.
  rewrite(graph, std::vector<int>{index.producer(probabilities), found->last},
          {{Op::clipped_softmax_cross_entropy,
            bounds,
            {values.at(loss.inputs[0]), values.at(loss.inputs[1])},
            {probabilities, last.outputs[0]},
            last.scope}});
  return true;
}

/// Replaces the gradient of the logits; false if it is not computed as traced.
bool fuse_backward(Graph& graph, const GraphIndex& index, const Graph& loss, const Attrs& bounds,
                   Value probabilities) {
  const Pattern pattern(loss, loss.outputs[2], {loss.outputs[0], loss.inputs[1], loss.inputs[2]});
  const auto found =
      find(graph, index, pattern, Op::softmax_gradient, loss.outputs[0], probabilities);
  if (!found) return false;
  const auto& values = found->match.values;
  const Operation& last = graph.operation(found->last);
  rewrite(graph, std::vector<int>{found->last},
          {{Op::clipped_softmax_cross_entropy_gradient,
            bounds,
            {probabilities, values.at(loss.inputs[1]), values.at(loss.inputs[2])},
            last.outputs,
            last.scope}});
  return true;
}

/// Replaces the loss, or its gradient, of a clip of normalised probabilities.
bool fuse(Graph& graph, const GraphIndex& index, int i) {
  const Operation& clip = graph.operation(i);
  if (clip.op != Op::clip || graph.spec(clip.outputs[0]).shape.has_symbol()) return false;
  const Value probabilities = probabilities_before(graph, index, clip);
  if (probabilities < 0) return false;
  const Attrs bounds = clip.attrs;
  const Graph loss = traced(graph.spec(probabilities), std::get<NumberAttrs>(bounds));
  return fuse_backward(graph, index, loss, bounds, probabilities) ||
         fuse_forward(graph, index, loss, bounds, probabilities);
}

}  // namespace

void cross_entropy(Graph& graph) {
  while (rewrite_somewhere(graph, fuse)) remove_dead(graph);
}

}  // namespace milgrad::passes
