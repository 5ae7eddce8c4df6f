// Programs as users meet them: shapes, arguments, variables, borrowed and copied results.
#include "autograd/program.h"

#include "autograd/grad.h"
#include "autograd/gradcheck.h"
#include "autograd/trace.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/variable.h"
#include "tests/values.h"

#include <optional>

#include <doctest/doctest.h>

namespace milgrad {
namespace {

const Spec kPair{{2}, DType::float32};

Program program_of(const TensorFunction& f, const std::vector<Spec>& inputs) {
  return Program(trace(f, inputs));
}

/// Counts the calls and checks that they come in order.
struct Counter : ReplayObserver {
  std::size_t started = 0, ended = 0;
  void before(std::size_t call) override { CHECK(call == started++); }
  void after(std::size_t call) override { CHECK(call == ended++); }
};

}  // namespace

TEST_CASE("program: what changes a variable between two replays takes effect in the next") {
  const Variable w(tensor({1.0f, 2.0f})), rate(scalar(0.5));
  Program step = program_of(
      [&](const Tensors& x) {
        const Tensor loss = sum(square(w - x[0]));
        sgd_update(w, grad(loss, w), rate);
        return Tensors{loss};
      },
      {kPair});
  CHECK(step({tensor({0.0f, 0.0f})})[0].item() == 5);
  test::check_values(w.value(), {2}, {0, 0});
  w.assign(tensor({4.0f, 4.0f}));
  rate.assign(scalar(0.25));
  const std::uint64_t version = w.value().storage()->version();
  CHECK(step({tensor({0.0f, 0.0f})})[0].item() == 32);
  test::check_values(w.value(), {2}, {2, 2});
  CHECK(w.value().storage()->version() > version);
}

TEST_CASE("program: one program serves 0, 1, 7 and more samples, and again") {
  const Variable w(tensor({1.0f, 2.0f}));
  const auto f = [&](const Tensors& x) {
    const Tensor y = tanh(x[0] * w);
    return Tensors{y, sum(y, {0}), grad(sum(y), w)};
  };
  Program program = program_of(f, {{{symbolic_dim(1), 2}, DType::float32}});
  for (Dim n : {7, 0, 1, 64, 7, 1}) {
    CAPTURE(n);
    const Tensor x = test::noisy({n, 2});
    const Tensors results = program({x}), expected = f({x});
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(test::same_bits(results[i], expected[i]));
  }
  CHECK_THROWS_WITH_AS(program({ones({4, 3})}),
                       "[graph] argument 0 is float32 (4, 3); it was traced for float32 (N, 2)",
                       ShapeError);
}

TEST_CASE("program: more shapes than it remembers") {
  Program program = program_of([](const Tensors& x) { return Tensors{exp(x[0]) + x[0]}; },
                               {{{symbolic_dim(1)}, DType::float64}});
  for (int round = 0; round < 2; ++round)
    for (Dim n = 1; n <= 40; ++n) {
      const Tensors results = program({ones({n}, DType::float64)});
      CHECK(results[0].shape() == Shape{n});
      CHECK(results[0].data<double>()[static_cast<std::size_t>(n - 1)] ==
            doctest::Approx(std::exp(1.0) + 1));
    }
}

TEST_CASE("program: results are copies, those of replay() are overwritten by the next") {
  Program program = program_of([](const Tensors& x) { return Tensors{neg(x[0]), x[0]}; }, {kPair});
  const Tensor one = tensor({1.0f, 1.0f}), two = tensor({2.0f, 2.0f});
  const Tensors kept = program({one});
  const Tensor borrowed = program.replay(std::vector{one})[0];
  const Tensors second = program({two});
  test::check_values(kept[0], {2}, {-1, -1});
  test::check_values(borrowed, {2}, {-2, -2});
  CHECK(kept[1].storage() != one.storage());
  CHECK(program.replay(std::vector{two})[1].raw_data() == two.raw_data());
  CHECK_THROWS_WITH_AS(
      program({borrowed}),
      "[program] argument 0 (float32 (2,)) is an output that the replay overwrites", ValueError);
}

TEST_CASE("program: an output may be a variable, a view of one, or a constant") {
  const Variable w(tensor({1.0f, 2.0f}));
  Program program = program_of(
      [&](const Tensors& x) {
        w.assign(x[0]);
        return Tensors{w, reshape(w, {2, 1}), scalar(3)};
      },
      {kPair});
  const Tensors results = program({tensor({5.0f, 6.0f})});
  test::check_values(results[0], {2}, {5, 6});
  test::check_values(results[1], {2, 1}, {5, 6});
  test::check_values(results[2], {}, {3});
  program({tensor({7.0f, 8.0f})});
  test::check_values(results[0], {2}, {5, 6});
}

TEST_CASE("program: arguments without elements and replays inside of a trace are errors") {
  Program program = program_of([](const Tensors& x) { return Tensors{neg(x[0])}; }, {kPair});
  CHECK_THROWS_WITH_AS(program({Tensor::abstract(kPair)}),
                       "[program] argument 0 (float32 (2,)) has no elements", TraceError);
  program({ones({2})});
  CHECK_THROWS_AS(program({Tensor::abstract(kPair)}), TraceError);
  CHECK_THROWS_WITH_AS(program({}), "[graph] got 0 arguments; expected 1", ValueError);
  CHECK_THROWS_WITH_AS(trace([&](const Tensors& x) { return program(x); }, {kPair}),
                       "[program] a program was replayed inside of a trace", TraceError);
}

TEST_CASE("program: made inside of a trace, constants are computed all the same") {
  std::optional<Program> inner;
  trace(
      [&](const Tensors& x) {
        Graph graph;
        const Value zero = graph.add_constant(scalar(0)), result = graph.add_value({{}, {}});
        graph.operations.push_back({Op::exp, NoAttrs{}, {zero}, {result}, ""});
        graph.outputs = {result};
        inner.emplace(std::move(graph));
        return x;
      },
      {kPair});
  CHECK((*inner)({})[0].item() == 1);
}

TEST_CASE("program: an observer sees every call, in order, and changes nothing") {
  Program program = program_of(
      [](const Tensors& x) {
        return Tensors{sum(exp(reshape(x[0], {2, 1})), {0})};
      },
      {kPair});
  const Tensors arguments{tensor({0.0f, 0.0f})};
  const Tensors expected = program(arguments);
  Counter counter;
  test::check_values(program.replay(arguments, &counter)[0], {1}, test::numbers(expected[0]));
  CHECK(counter.started == program.calls().size());
  CHECK(counter.ended == counter.started);
}

}  // namespace milgrad
