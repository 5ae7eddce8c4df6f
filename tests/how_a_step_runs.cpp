// The page docs/how-a-step-runs.md: its prose stands here, its graphs are printed by the library.
#include "autograd/grad.h"
#include "autograd/program.h"
#include "autograd/trace.h"
#include "nn/layers.h"
#include "nn/model.h"
#include "nn/optimizers.h"
#include "tensor/operators.h"
#include "tests/support.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace milgrad::test {
namespace {

/// The model of the page, its optimizer, and a step on a batch of two samples.
struct Lesson {
  nn::Model model = [] {
    const nn::SymbolicTensor input = nn::Input({3});
    const nn::SymbolicTensor hidden = nn::Dense(4, {.activation = "tanh", .name = "hidden"})(input);
    return nn::Model(input, nn::Dense(2, {.name = "classes"})(hidden));
  }();
  std::vector<Variable> weights;
  std::shared_ptr<nn::Optimizer> optimizer = nn::SGD({.learning_rate = 0.1});
  std::vector<Spec> batch{{{2, 3}, DType::float32}, {{2}, DType::int64}};

  Lesson() {
    for (const nn::Weight& weight : model.trainable_weights()) weights.push_back(weight.variable);
    optimizer->build(weights);
  }

  Tensors step(const Tensors& inputs) const {
    const Tensor logits = model(inputs[0], nn::Mode::train).one();
    const Tensor loss = mean(sparse_softmax_cross_entropy(logits, inputs[1]));
    Tensors leaves;
    for (const Variable& w : weights) leaves.push_back(w.value());
    optimizer->apply(grad({loss}, leaves));
    return {loss.stop_gradient()};
  }
};

constexpr const char* kPage = R"(# How a step runs

One training step of a small model, from the function that describes it to the kernels that run. All
listings are printed by the library; `build/milgrad_tests --list-how-a-step-runs` writes this page, and
a test compares the two.

The model has a hidden layer of four units and two classes:

```cpp
const nn::SymbolicTensor input = nn::Input({3});
const nn::SymbolicTensor hidden = nn::Dense(4, {.activation = "tanh", .name = "hidden"})(input);
nn::Model model(input, nn::Dense(2, {.name = "classes"})(hidden));
```

A step takes a batch, here two samples of three features, and their labels:

```cpp
const Tensor logits = model(x, nn::Mode::train).one();
const Tensor loss = mean(sparse_softmax_cross_entropy(logits, labels));
optimizer->apply(grad({loss}, weights));  // gradient descent, learning rate 0.1
```

Called as it stands, this computes: each function of tensors goes through `apply`, which asks the
operation's shape rule for the result's shape and dtype, allocates it, runs the kernel, and remembers on
the tape what the gradient will need. That is convenient, and around small tensors it is much work for
little arithmetic. `Model::fit` therefore runs the step as a *program*.

## 1. Trace

`trace(step, shapes)` calls the function once with tensors that have a shape and no elements. `apply`
notices and, instead of computing, appends the operation to a list. Gradient rules and the optimizer
call operations too, so that they appear in the same list; nothing tells forward, backward and update
apart any more. The text behind `#` is the layer that was running.

```
{trace}```

Values are numbered `%0`, `%1`, ...; a line gives its value's dtype and shape. There are four kinds of
lines before the operations. An *input* is an argument of the step. A *variable* is memory that outlives
the step: the weights, the learning rate, the count of steps. A *constant* was made while tracing, such
as the 1 with which the gradient of the loss begins. Of a *shape*, only the shape is read.

`sgd_update` and `assign` have no result: they overwrite a variable. One that is read again afterwards has
a line of its own for each state. Whatever is done to the list later, who reads the old value runs before
the update, and who reads the new one after it.

Elements do not exist yet, so that a function that looks at one (`loss.item()`, `if (x > 0)`) cannot be
traced. It throws an error that names the operation, its number in the list, and the layer.

## 2. Passes

A pass rewrites the list into one that computes the same with less work. They run in this order, and each
can be turned off (`ProgramOptions`, or `MILGRAD_PASSES=-{example}` in the environment), so that a wrong
number can be traced to the pass that made it:

{passes}
Of the {before} operations above, {after} are left:

```
{graph}```

Operations that only this list has stand for several of those above. They are
rows of the registry like any other: each has a reference, the same computation by plain operations, that
the tests hold it against, and its own kernel. The passes that only drop or share work keep every bit;
those that change the order of sums agree to 2e-6 of a tensor's largest element in float32.

## 3. Plan

Each value needs memory from the operation that makes it to the last one that reads it. The planner walks
the list, notes these lives, and gives places in one block, the *arena*, so that two values share bytes
only if their lives do not meet. Places begin at multiples of 64 bytes. Three rules save more:

- a *view* (reshape, a slice of the leading axis) has no memory of its own;
- an elementwise operation may write over its operand if nobody reads that again;
- the operands of a `concat` along the leading axis are made side by side, where it would copy them to.

Inputs stay where the caller has them, variables and constants where they always are. For this step:

| operation | result | lies in | bytes from .. to |
| --- | --- | --- | --- |
{places}
{plan}.

## 4. Replay

Binding looks up the kernel of each operation and fills in the addresses of its operands and results; that
happens once per shape. What is left of the step is a flat list of calls:

```
{calls}```

A replay puts the addresses of this batch into the calls that read an input, and then is a loop:

```cpp
for (const Bound& b : bound) b.kernel(b.call);
```

Nothing is allocated, inferred, looked up or counted. A kernel with much to do divides its rows among the
threads of a pool, in parts that depend on the shape alone, so that the result has the same bits for any
number of threads.

The variables are read and written where they are. So whatever happens to them between two replays takes
effect in the next: a callback that lowers the learning rate, loaded weights, `set_weights`. A batch of
another size binds the same list anew if the trace had a symbolic leading size, and is traced again if
not; `fit` decides that by itself.

## Looking into it

- `graph.to_string()` and `graph.to_dot()` print what this page shows; Graphviz draws the second.
- `program.to_string()` prints the calls, `program.plan().to_string()` the memory.
- `mil train --profile` says where the time of the steps goes, by operation and by node, and writes the
  calls for a trace viewer. In your own code, give `fit` a `Profile`.
- `MILGRAD_PASSES=none` turns all passes off; `run_eagerly` in `compile` leaves programs out altogether.
)";

std::string list_of_passes() {
  std::string text;
  for (const Pass& pass : all_passes()) text += fmt::format("- `{}`: {}\n", pass.name, pass.doc);
  return text;
}

std::string table_of_places(const Program& program) {
  std::string text;
  for (std::size_t i = 0; i < program.graph().operations.size(); ++i) {
    const Graph::Operation& operation = program.graph().operations[i];
    for (Value v : operation.outputs) {
      const Place& place = program.plan().places[static_cast<std::size_t>(v)];
      const Spec& spec = program.specs()[static_cast<std::size_t>(v)];
      const std::size_t bytes = static_cast<std::size_t>(spec.shape.numel()) * size_of(spec.dtype);
      const char* names[] = {"nowhere", "an input", "a variable or constant", "the arena"};
      const char* name = names[static_cast<int>(place.kind)];
      const std::string range = place.kind == Place::Kind::nowhere
                                    ? ""
                                    : fmt::format("{} .. {}", place.offset, place.offset + bytes);
      text += fmt::format("| `{}` | %{}  {} | {} | {} |\n", name_of(operation.op), v,
                          spec.to_string(), name, range);
    }
  }
  return text;
}

std::string filled(std::string text,
                   const std::vector<std::pair<std::string, std::string>>& parts) {
  for (const auto& [name, part] : parts) {
    const std::string hole = "{" + name + "}";
    text.replace(text.find(hole), hole.size(), part);
  }
  return text;
}

std::string page() {
  const Lesson lesson;
  const Graph graph = trace([&](const Tensors& x) { return lesson.step(x); }, lesson.batch);
  Program program(graph, {.passes = {}});
  Tensors batch;
  for (const Spec& spec : lesson.batch) batch.push_back(zeros(spec.shape, spec.dtype));
  program(batch);
  std::string calls = program.to_string();
  calls.resize(calls.rfind('\n', calls.size() - 2) + 1);  // its last line is the plan's
  return filled(kPage, {{"trace", graph.to_string()},
                        {"example", all_passes().back().name},
                        {"passes", list_of_passes()},
                        {"before", std::to_string(graph.operations.size())},
                        {"after", std::to_string(program.graph().operations.size())},
                        {"graph", program.graph().to_string()},
                        {"places", table_of_places(program)},
                        {"plan", "The plan in a line: " + program.plan().to_string()},
                        {"calls", calls}});
}

const Listing list_page("--list-how-a-step-runs", [](std::ostream& out) { out << page(); });

}  // namespace

TEST_CASE("how a step runs: the step of the page gives what it gives eagerly") {
  const Lesson eager, compiled;
  for (std::size_t i = 0; i < eager.weights.size(); ++i)
    compiled.weights[i].assign(eager.weights[i].value());
  Program program(trace([&](const Tensors& x) { return compiled.step(x); }, compiled.batch));
  const Tensors batch{tensor(std::vector<float>{1, -2, 3, 0.5F, 0, -1}, {2, 3}),
                      tensor(std::vector<std::int64_t>{0, 1}, {2})};
  for (int i = 0; i < 3; ++i) {
    const double expected = eager.step(batch)[0].item();
    CHECK(program(batch)[0].item() == doctest::Approx(expected).epsilon(1e-6));
  }
}

}  // namespace milgrad::test
