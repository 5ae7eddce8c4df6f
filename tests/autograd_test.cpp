// The engine: the reverse walk, the tape's memory, tracing. Single operations are tested by the
// registry suite.
#include "autograd/grad.h"
#include "autograd/gradcheck.h"
#include "autograd/trace.h"
#include "backends/allocator.h"
#include "tensor/mode.h"
#include "tensor/ops.h"
#include "tensor/variable.h"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

Tensor leaf(double value) { return requires_grad(scalar(value, DType::float64)); }

}  // namespace

TEST_CASE("grad: a value used twice sums both paths") {
  const Tensor x = leaf(3);
  CHECK(grad(add(mul(x, x), x), x).item() == 7);  // d(x^2 + x) = 2x + 1
}

TEST_CASE("grad: derivatives up to order four of exp(2x)") {
  const Tensor x = leaf(0.5);
  Tensor y = exp(mul(scalar(2, DType::float64), x));
  for (int order = 1; order <= 4; ++order) {
    y = grad(y, x, {.create_graph = true});
    CHECK(y.item() == doctest::Approx(std::pow(2, order) * std::exp(1.0)).epsilon(1e-14));
  }
}

TEST_CASE("grad: broadcasting is undone") {
  const Tensor x = requires_grad(tensor(std::vector<double>{1, 2, 3}, Shape{3, 1}));
  const Tensor y = requires_grad(tensor(std::vector<double>{4, 5}, Shape{2}));
  const Tensors g = grad(Tensors{sum(mul(x, y))}, {x, y});
  CHECK(g[0].shape() == Shape{3, 1});
  CHECK(g[0].to_vector<double>() == std::vector<double>{9, 9, 9});
  CHECK(g[1].to_vector<double>() == std::vector<double>{6, 6});
}

TEST_CASE("grad: inner tensors can be asked for as well as leaves") {
  const Tensor x = leaf(2), y = mul(x, x), z = exp(y);
  const Tensors g = grad(Tensors{z}, {y, x});
  CHECK(g[0].item() == doctest::Approx(std::exp(4.0)));
  CHECK(g[1].item() == doctest::Approx(4 * std::exp(4.0)));
}

TEST_CASE("grad: cotangents weigh the outputs") {
  const Tensor x = requires_grad(tensor(std::vector<double>{1, 2}, Shape{2}));
  const Tensor v = tensor(std::vector<double>{10, 100}, Shape{2});
  CHECK(grad(Tensors{mul(x, x)}, {x}, {.cotangents = {v}})[0].to_vector<double>() ==
        std::vector<double>{20, 400});
  CHECK_THROWS_WITH_AS(grad(mul(x, x), x),
                       "[grad] output 0 has shape (2,); only a single element has a gradient "
                       "without cotangents",
                       ShapeError);
  CHECK_THROWS_WITH_AS(grad(Tensors{mul(x, x)}, {x}, {.cotangents = {scalar(1, DType::float64)}}),
                       "[grad] cotangent 0 has shape (), its output (2,)", ShapeError);
}

TEST_CASE("grad: no path gives zeros, or an error when strict") {
  const Tensor x = leaf(1), other = requires_grad(zeros({2, 3}, DType::float64));
  CHECK(grad(exp(x), other).to_vector<double>() == std::vector<double>(6, 0.0));
  CHECK_THROWS_WITH_AS(grad(exp(x), other, {.strict = true}),
                       "[grad] no path leads from the outputs to tensor 0 (float64 (2, 3))",
                       GradientError);
}

TEST_CASE("grad: untracked tensors and integers are refused") {
  const Tensor x = scalar(1);
  CHECK_THROWS_WITH_AS(grad(exp(x), x), "[grad] tensor 0 (float32 ()) is not tracked",
                       GradientError);
  CHECK_THROWS_WITH_AS(requires_grad(scalar(1, DType::int32)),
                       "[requires_grad] a int32 tensor has no gradient", DTypeError);
}

TEST_CASE("grad: stop_gradient and NoGrad cut the tape") {
  const Tensor x = leaf(3);
  CHECK(grad(mul(x, mul(x, x).stop_gradient()), x).item() == 9);
  const NoGrad no_grad;
  CHECK_FALSE(mul(x, x).requires_grad());
}

TEST_CASE("grad: results are off the tape unless asked for") {
  const Tensor x = leaf(3), y = mul(x, x);
  CHECK_FALSE(grad(y, x).requires_grad());
  CHECK(grad(y, x, {.create_graph = true}).requires_grad());
}

TEST_CASE("backward: the gradients of all leaves at once") {
  const Variable w(tensor(std::vector<double>{1, 2}, Shape{2}), {.name = "w"});
  const Tensor x = requires_grad(tensor(std::vector<double>{3, 4}, Shape{2}));
  const Tensor unused = leaf(0);
  const Gradients gradients = backward(sum(mul(w, x)));
  CHECK(gradients.size() == 2);
  CHECK(gradients[w].to_vector<double>() == std::vector<double>{3, 4});
  CHECK(gradients[x].to_vector<double>() == std::vector<double>{1, 2});
  CHECK(gradients[unused].item() == 0);
}

TEST_CASE("value_and_grad: a function of plain tensors") {
  const auto f = [](const Tensors& x) { return sum(mul(x[0], exp(x[1]))); };
  const auto [value, gradients] =
      value_and_grad(f, {scalar(2, DType::float64), scalar(0, DType::float64)});
  CHECK(value.item() == 2);
  CHECK(gradients[0].item() == 1);
  CHECK(gradients[1].item() == 2);
}

TEST_CASE("tape: a million operations neither overflow the stack nor stay in memory") {
  const std::size_t before = memory_statistics(Device::cpu()).in_use;
  {
    const Tensor x = leaf(1);
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = neg(y);
    CHECK(grad(y, x).item() == 1);
  }
  CHECK(memory_statistics(Device::cpu()).in_use == before);
}

TEST_CASE("tape: a value is kept only if its rule reads it") {
  const std::size_t before = memory_statistics(Device::cpu()).in_use;
  const Tensor x = requires_grad(zeros({1 << 16}, DType::float64));
  const Tensor y = add(neg(x), x);  // neither rule reads elements
  CHECK(memory_statistics(Device::cpu()).in_use - before <= 3 * (sizeof(double) << 16));
  const Tensor z = neg(exp(x));  // exp keeps its result
  CHECK(memory_statistics(Device::cpu()).in_use - before >= 4 * (sizeof(double) << 16));
}

TEST_CASE("tape: a saved variable that was overwritten since is found out") {
  const Variable w(scalar(2, DType::float64), {.name = "w"});
  const Tensor y = mul(w, w);
  w.assign(scalar(3, DType::float64));
  CHECK_THROWS_WITH_AS(grad(y, w),
                       "[mul] a value float64 () that its gradient needs was overwritten after the "
                       "forward pass",
                       GradientError);
  CHECK(grad(mul(w, w), w).item() == 6);
}

TEST_CASE("gradcheck: says which input is wrong and by how much") {
  const Tensor x = scalar(0.3, DType::float64);
  const auto right = [](const Tensors& t) { return Tensors{exp(t[0])}; };
  CHECK(gradcheck(right, {x}).ok);
  const auto wrong = [](const Tensors& t) {
    return Tensors{mul(t[0].stop_gradient(), t[1])};  // hides the path through input 0
  };
  const GradcheckResult result = gradcheck(wrong, {x, x});
  CHECK_FALSE(result.ok);
  CHECK(result.message.find("derivative for input 0 is 0") == 0);
  CHECK(result.worst_error > 1e-3);
  CHECK_THROWS_WITH_AS(gradcheck(right, {scalar(1)}), "[gradcheck] input 0 is float32", DTypeError);
}

TEST_CASE("gradcheck: finds a wrong second derivative under a right first one") {
  const auto f = [](const Tensors& t) {
    // x * c with c = exp(x) cut off in the second factor's own derivative only.
    const Tensor e = exp(t[0]);
    return Tensors{add(e, mul(e.stop_gradient(), add(t[0], neg(t[0].stop_gradient()))))};
  };
  const GradcheckResult result = gradcheck(f, {scalar(0.3, DType::float64)});
  CHECK_FALSE(result.ok);
}

TEST_CASE("trace: a function with its gradient becomes a flat list that gives the eager bits") {
  const Variable w(tensor(std::vector<double>{1, -2}, Shape{2}), {.name = "w"});
  const auto f = [&](const Tensors& x) {
    const Tensor y = sum(exp(mul(w, x[0])));
    return Tensors{y, grad(y, w)};
  };
  const Graph graph = trace(f, {{Shape{2}, DType::float64}});
  const Tensor x = tensor(std::vector<double>{0.5, 0.25}, Shape{2});
  const Tensors eager = f({x}), replayed = graph.run({x});
  CHECK(replayed[0].item() == eager[0].item());
  CHECK(replayed[1].to_vector<double>() == eager[1].to_vector<double>());
  CHECK(graph.to_string() ==
        "%0 = input  float64 (2,)\n"
        "%1 = variable  float64 (2,)\n"
        "%5 = constant  float64 ()\n"
        "%2 = mul(%1, %0)  float64 (2,)\n"
        "%3 = exp(%2)  float64 (2,)\n"
        "%4 = sum(%3) axes=(0,), keep_dims=false  float64 ()\n"
        "%6 = expand_dims(%5) axes=(0,)  float64 (1,)\n"
        "%7 = broadcast_like(%6, %3)  float64 (2,)\n"
        "%8 = mul(%7, %3)  float64 (2,)\n"
        "%9 = mul(%8, %0)  float64 (2,)\n"
        "return %4, %9\n");
}

TEST_CASE("trace: a symbolic leading size serves any count") {
  const auto f = [](const Tensors& x) { return Tensors{sum(exp(x[0]), {0})}; };
  const Graph graph = trace(f, {{Shape{symbolic_dim(1), 2}, DType::float64}});
  for (Dim n : {0, 1, 7}) {
    const Tensor x = ones({n, 2}, DType::float64);
    CHECK(graph.run({x})[0].data<double>()[1] ==
          doctest::Approx(static_cast<double>(n) * std::exp(1.0)));
  }
}

TEST_CASE("trace: reads of a variable bind to its version at that point") {
  const Variable w(scalar(1, DType::float64), {.name = "w"});
  const auto f = [&](const Tensors& x) {
    const Tensor before = neg(w);
    w.assign(x[0]);
    return Tensors{before, neg(w)};
  };
  const Graph graph = trace(f, {{Shape{}, DType::float64}});
  CHECK(w.value().item() == 1);  // tracing changed nothing
  const Tensors results = graph.run({scalar(5, DType::float64)});
  CHECK(results[0].item() == -1);
  CHECK(results[1].item() == -5);
  CHECK(w.value().item() == 5);
}

TEST_CASE("trace: host reads and leaked tensors are errors that say where") {
  Tensor leaked;
  const auto reads = [&](const Tensors& x) {
    const NameScope scope("alpha");
    leaked = exp(x[0]);
    return Tensors{scalar(leaked.item())};
  };
  CHECK_THROWS_WITH_AS(trace(reads, {{Shape{}, DType::float32}}),
                       "[data] the elements of a traced tensor float32 () are not known (exp, "
                       "node 0, layer alpha)",
                       TraceError);
  CHECK_THROWS_WITH_AS(neg(leaked),
                       "[neg] input 0 (float32 (), exp, node 0, layer alpha) belongs to a trace "
                       "that has ended",
                       TraceError);
  CHECK_THROWS_WITH_AS(leaked.item(),
                       "[data] the elements of a traced tensor float32 () are not known (exp, node "
                       "0, layer alpha); its trace has ended",
                       TraceError);
}

TEST_CASE("grad: a cotangent has the dtype of its output") {
  const Tensor x = leaf(2);
  CHECK_THROWS_WITH_AS(grad(mul(x, x), x, {.cotangents = {scalar(1)}}),
                       "[grad] cotangent 0 is float32, its output float64", DTypeError);
}

TEST_CASE("backward: only leaves can be asked for") {
  const Tensor x = leaf(2), y = mul(x, x);
  const Gradients gradients = backward(y);
  CHECK(gradients[x].item() == 4);
  CHECK_THROWS_WITH_AS(gradients[y],
                       "[backward] a tensor float64 () that is not a leaf has no gradient here",
                       GradientError);
  CHECK_THROWS_WITH_AS(gradients[scalar(1)],
                       "[backward] a tensor float32 () that is not tracked has no gradient here",
                       GradientError);
}

TEST_CASE("value_and_grad: derivatives are partial, whatever the inputs were computed from") {
  const auto product = [](const Tensors& t) { return mul(t[0], t[1]); };
  const Tensor x = leaf(3);
  const ValueAndGrad squared = value_and_grad(product, {x, mul(x, x)});
  CHECK(squared.gradients[0].item() == 9);
  CHECK(squared.gradients[1].item() == 3);
  const ValueAndGrad twice = value_and_grad(product, {x, x});
  CHECK(twice.gradients[0].item() == 3);
  CHECK(twice.gradients[1].item() == 3);
  // d/dx of the partial derivative x^2 of f(x, x^2): the outer tape goes through the inputs.
  const ValueAndGrad tracked = value_and_grad(product, {x, mul(x, x)}, {.create_graph = true});
  CHECK(grad(tracked.gradients[0], x).item() == 6);
}

TEST_CASE("value_and_grad: gradients exist inside of NoGrad, and nothing stays tracked") {
  const NoGrad no_grad;
  const auto square_of = [](const Tensors& t) { return mul(t[0], t[0]); };
  const ValueAndGrad result = value_and_grad(square_of, {scalar(3)});
  CHECK(result.gradients[0].item() == 6);
  CHECK_FALSE(result.value.requires_grad());
}

TEST_CASE("trace: a graph takes what it was traced for, and symbols have one value") {
  const Dim n = symbolic_dim(1);
  const Graph graph = trace(
      [](const Tensors& t) {
        return Tensors{mul(concat({t[0], t[0]}), t[1])};
      },
      {{{n, 3}, DType::float32}, {{symbolic_dim(1, 2), 1}, DType::float32}});
  CHECK(graph.run({ones({4, 3}), ones({8, 1})})[0].shape() == Shape{8, 3});
  CHECK(graph.run({ones({0, 3}), ones({0, 1})})[0].shape() == Shape{0, 3});
  CHECK_THROWS_WITH_AS(graph.run({ones({4, 3}), ones({2, 1})}),
                       "[graph] argument 1 is float32 (2, 1); it was traced for float32 (2N, 1)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(graph.run({ones({4, 2}), ones({8, 1})}),
                       "[graph] argument 0 is float32 (4, 2); it was traced for float32 (N, 3)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(graph.run({ones({4, 3}, DType::float64), ones({8, 1})}),
                       "[graph] argument 0 is float64 (4, 3); it was traced for float32 (N, 3)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(graph.run({Tensor(), ones({8, 1})}),
                       "[graph] argument 0 is undefined; it was traced for float32 (N, 3)",
                       ShapeError);
}

TEST_CASE("trace: a variable that the function changes cannot be read on the host") {
  const Variable count(scalar(1, DType::float64));
  double before = 0;
  const auto advance = [&](const Tensors&) {
    before = count.value().item();
    count.assign(add(count, scalar(1, DType::float64)));
    return Tensors{scalar(count.value().item(), DType::float64)};
  };
  CHECK_THROWS_WITH_AS(trace(advance, {}),
                       "[data] a variable float64 () was read that the traced function changes",
                       TraceError);
  CHECK(before == 1);
  CHECK(advance({})[0].item() == 2);
}
