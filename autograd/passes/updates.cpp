// updates: gradient of a kernel, penalty, optimizer's step and gradient of the layer's input become
// one pass over the weights.
#include "autograd/graph_index.h"
#include "autograd/passes/families.h"
#include "autograd/passes/pass.h"

#include <algorithm>

namespace milgrad::passes {
namespace {

using Operation = Graph::Operation;

// With more rows than this the products are the work, not the weights: separate products and a
// separate step are as fast.
constexpr std::int64_t kMostRows = 32;

/// What is known of a kernel's update: the pieces that one operation will replace.
struct Update {
  int step;                   // sgd_update or adam_update of the kernel
  Value kernel, x, g;         // kernel gradient = x^T g, both as rows
  double decay = 0;           // kernel gradient += decay * kernel
  std::vector<int> gradient;  // the operations of the gradient
  int bias_step = -1;         // the step of the bias whose gradient is the sum of g's rows
  std::vector<int> bias_gradient = {};
  int input_gradient = -1;  // g kernel^T
  int sum_of_squares = -1;  // sum(kernel^2), and the square
  int square = -1;
};

bool is_step(Op op) { return op == Op::sgd_update || op == Op::adam_update; }

/// Operand of an optimizer's step that is the gradient.
Value gradient_of(const Operation& step) { return step.inputs[step.op == Op::adam_update ? 3 : 1]; }

/// decay * kernel, or nothing.
std::optional<double> decay_term(const Graph& graph, const GraphIndex& index, Value value,
                                 Value kernel) {
  const Operation* product = index.produced_by(value, Op::mul);
  if (product == nullptr) return {};
  for (std::size_t k = 0; k < 2; ++k)
    if (product->inputs[1 - k] == kernel)
      if (const auto number = constant_number(graph, product->inputs[k])) return number;
  return {};
}

/// x^T g of few rows, read by nothing but what `uses_allowed` says.
bool take_product(const Graph& graph, const GraphIndex& index, Value value, Update& update) {
  const Operation* product = index.produced_by(value, Op::matmul);
  if (product == nullptr || !index.has_one_use(value)) return false;
  const bool fits = std::get<MatmulAttrs>(product->attrs) == MatmulAttrs{.transpose_a = true} &&
                    graph.spec(product->inputs[0]).shape.rank() == 2 &&
                    graph.spec(product->inputs[1]).shape.rank() == 2;
  if (!fits) return false;
  update.x = product->inputs[0];
  update.g = product->inputs[1];
  const Dim rows = graph.spec(update.x).shape[0];
  update.gradient.push_back(index.producer(value));
  return !is_symbolic(rows) && rows <= kMostRows;
}

bool take_gradient(const Graph& graph, const GraphIndex& index, Update& update) {
  const Value gradient = gradient_of(graph.operation(update.step));
  if (take_product(graph, index, gradient, update)) return true;
  const Operation* sum = index.produced_by(gradient, Op::add);
  if (sum == nullptr || !index.has_one_use(gradient)) return false;
  for (std::size_t k = 0; k < 2; ++k) {
    const auto decay = decay_term(graph, index, sum->inputs[k], update.kernel);
    if (!decay || !index.has_one_use(sum->inputs[k])) continue;
    if (!take_product(graph, index, sum->inputs[1 - k], update)) return false;
    update.decay = *decay;
    update.gradient.push_back(index.producer(sum->inputs[k]));
    update.gradient.push_back(index.producer(gradient));
    return true;
  }
  return false;
}

Dim element_count(const Graph& graph, Value value) {
  const Shape& shape = graph.spec(value).shape;
  return shape.product(0, shape.rank());
}

/// The value that a view, or a view of a view, shows whole; others stand for themselves.
Value viewed_whole(const Graph& graph, const GraphIndex& index, Value value) {
  for (int i = index.producer(value); i >= 0; i = index.producer(value)) {
    const Operation& view = graph.operation(i);
    if (view.outputs.size() != 1 || definition(view.op).alias == nullptr ||
        element_count(graph, view.inputs[0]) != element_count(graph, value))
      break;
    value = view.inputs[0];
  }
  return value;
}

/// Values that hold the same elements as `value` in the same order.
std::vector<Value> reshaped(const Graph& graph, const GraphIndex& index, Value value) {
  const Value origin = viewed_whole(graph, index, value);
  std::vector<Value> values;
  for (Value v = 0; v < static_cast<Value>(graph.values.size()); ++v)
    if ((index.producer(v) >= 0 || v == origin) && viewed_whole(graph, index, v) == origin)
      values.push_back(v);
  return values;
}

/// Whether this gives the sums of the columns of g's rows, in the shape of a bias.
bool sums_rows(const Graph& graph, const Operation& sum, Value bias) {
  if (!(graph.spec(sum.outputs[0]) == graph.spec(bias))) return false;
  const Shape& from = graph.spec(sum.inputs[0]).shape;
  if (sum.op == Op::sum_to_like) return true;
  if (sum.op == Op::reshape_like) return from.product(0, from.rank() - 1) == 1;
  if (sum.op != Op::sum) return false;
  return std::get<ReduceAttrs>(sum.attrs).axes.rank() == from.rank() - 1;
}

/// Whether two steps are of one optimizer: the same rule and numbers.
bool same_optimizer(const Operation& a, const Operation& b) {
  if (a.op != b.op || !(a.attrs == b.attrs) || a.inputs.size() != b.inputs.size()) return false;
  return a.op == Op::adam_update ? a.inputs[4] == b.inputs[4] : a.inputs[2] == b.inputs[2];
}

void take_bias(const Graph& graph, const GraphIndex& index, Update& update) {
  const Operation& step = graph.operation(update.step);
  for (Value rows : reshaped(graph, index, update.g))
    for (const Use& use : index.uses(rows)) {
      const Operation& sum = graph.operation(use.operation);
      if (sum.outputs.size() != 1 || use.operand != 0 || !index.has_one_use(sum.outputs[0]))
        continue;
      const int next = index.uses(sum.outputs[0])[0].operation;
      const Operation& bias_step = graph.operation(next);
      if (next == update.step || !is_step(bias_step.op) || !same_optimizer(step, bias_step) ||
          gradient_of(bias_step) != sum.outputs[0] ||
          graph.spec(bias_step.inputs[0]).shape.rank() != 1 ||
          !sums_rows(graph, sum, bias_step.inputs[0]))
        continue;
      update.bias_step = next;
      update.bias_gradient = {use.operation};
      return;
    }
}

void take_input_gradient(const Graph& graph, const GraphIndex& index, Update& update) {
  for (const Use& use : index.uses(update.kernel)) {
    const Operation& product = graph.operation(use.operation);
    if (product.op == Op::matmul && use.operand == 1 && product.inputs[0] == update.g &&
        std::get<MatmulAttrs>(product.attrs) == MatmulAttrs{.transpose_b = true})
      update.input_gradient = use.operation;
  }
}

void take_sum_of_squares(const Graph& graph, const GraphIndex& index, Update& update) {
  for (const Use& use : index.uses(update.kernel)) {
    const Operation& square = graph.operation(use.operation);
    if (square.op != Op::square || !index.has_one_use(square.outputs[0])) continue;
    const int next = index.uses(square.outputs[0])[0].operation;
    if (graph.operation(next).op != Op::sum ||
        graph.spec(graph.operation(next).outputs[0]).shape.rank() != 0)
      continue;
    update.square = use.operation;
    update.sum_of_squares = next;
  }
}

/// All operations that the update stands for.
std::vector<int> members(const Update& update) {
  std::vector<int> all = update.gradient;
  all.insert(all.end(), update.bias_gradient.begin(), update.bias_gradient.end());
  for (int i :
       {update.step, update.bias_step, update.input_gradient, update.sum_of_squares, update.square})
    if (i >= 0) all.push_back(i);
  return all;
}

/// Leaves out what would make the update wait for itself, such as a gradient that somebody needs
/// before the last reading of the kernel.
bool make_legal(const GraphIndex& index, Update& update) {
  if (index.can_fuse(members(update))) return true;
  update.sum_of_squares = update.square = -1;
  if (index.can_fuse(members(update))) return true;
  update.input_gradient = -1;
  if (index.can_fuse(members(update))) return true;
  update.bias_step = -1;
  update.bias_gradient.clear();
  return index.can_fuse(members(update));
}

/// The variables of a step: the kernel or bias and its slots.
void append_variables(const Operation& step, std::vector<Value>& inputs) {
  inputs.push_back(step.inputs[0]);
  if (step.op == Op::adam_update) {
    inputs.push_back(step.inputs[1]);
    inputs.push_back(step.inputs[2]);
  } else if (step.inputs.size() == 4) {
    inputs.push_back(step.inputs[3]);
  }
}

Operation fused(const Graph& graph, const Update& update) {
  const Operation& step = graph.operation(update.step);
  const bool adam = step.op == Op::adam_update;
  const DenseUpdate what{.decay = update.decay,
                         .bias = update.bias_step >= 0,
                         .input_gradient = update.input_gradient >= 0,
                         .sum_of_squares = update.sum_of_squares >= 0};
  Operation result{adam ? Op::adam_dense_update : Op::sgd_dense_update, {}, {}, {}, step.scope};
  if (adam)
    result.attrs = AdamDenseAttrs{std::get<AdamAttrs>(step.attrs), what};
  else
    result.attrs = SgdDenseAttrs{std::get<SgdAttrs>(step.attrs), what};
  result.inputs = {update.x, update.g, step.inputs[adam ? 4 : 2]};
  append_variables(step, result.inputs);
  if (what.bias) append_variables(graph.operation(update.bias_step), result.inputs);
  if (what.input_gradient)
    result.outputs.push_back(graph.operation(update.input_gradient).outputs[0]);
  if (what.sum_of_squares)
    result.outputs.push_back(graph.operation(update.sum_of_squares).outputs[0]);
  return result;
}

bool fuse_step(Graph& graph, const GraphIndex& index, int i) {
  const Operation& step = graph.operation(i);
  if (!is_step(step.op) || graph.spec(step.inputs[0]).shape.rank() != 2 ||
      graph.find_external(step.inputs[0]) == nullptr)
    return false;
  Update update{.step = i, .kernel = step.inputs[0], .x = -1, .g = -1, .gradient = {}};
  if (!take_gradient(graph, index, update)) return false;
  take_bias(graph, index, update);
  take_input_gradient(graph, index, update);
  take_sum_of_squares(graph, index, update);
  if (!make_legal(index, update)) return false;
  rewrite(graph, members(update), {fused(graph, update)});
  return true;
}

}  // namespace

void updates(Graph& graph) { rewrite_everywhere(graph, fuse_step); }

}  // namespace milgrad::passes
