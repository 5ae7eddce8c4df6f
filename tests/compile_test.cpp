// Compiled functions: which call is served by which program, and that programs see what changes
// between calls.
#include "autograd/compile.h"

#include "autograd/grad.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tensor/variable.h"
#include "tests/nn_support.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace milgrad {
namespace {

using test::error_of;
using test::ramp;

/// Greatest difference, relative to the greatest expected value.
double difference(const Tensor& x, const Tensor& expected) {
  REQUIRE(x.spec() == expected.spec());
  double most = 0, scale = 1e-30;
  const auto a = cast(x, DType::float64).to_vector<double>();
  const auto b = cast(expected, DType::float64).to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return most / scale;
}

/// What the function writes to standard error with MILGRAD_LOG set.
template <class F>
std::string logged(const char* topics, F&& f) {
  std::ostringstream text;
  setenv("MILGRAD_LOG", topics, 1);
  std::streambuf* before = std::cerr.rdbuf(text.rdbuf());
  f();
  std::cerr.rdbuf(before);
  unsetenv("MILGRAD_LOG");
  return text.str();
}

/// A gated pool of rows, and the gradient of its sum for the weights: what a bag goes through.
struct Pool {
  Variable v{ramp({5, 4}, 0.02) - 0.2, {.name = "v"}};
  Variable w{ramp({4, 1}, 0.3) - 0.5, {.name = "w"}};

  Tensors operator()(const Tensors& bag) const {
    const Tensor scores = softmax(matmul(tanh(matmul(bag[0], v)), w), 0);
    const Tensor pooled = sum(scores * bag[0], {0});
    const Tensors gradients = grad({mean(square(pooled))}, {v.value(), w.value()});
    return {pooled.stop_gradient(), gradients[0], gradients[1]};
  }
};

Tensor bag_of(Dim rows, int seed = 1) {
  return random_normal(RandomGenerator(static_cast<std::uint64_t>(seed)).next_key(), {rows, 5});
}

TEST_CASE("compile: a stream of 1,000 sizes costs a handful of traces and computes the same") {
  const Pool pool;
  CompiledFunction compiled = compile(pool, {.name = "pool"});
  double worst = 0;
  for (int i = 0; i < 1000; ++i) {
    const Tensor bag = bag_of(1 + (i * 37) % 211, i);
    const Tensors results = compiled({bag});
    if (i % 10 != 0) continue;
    const Tensors expected = pool({bag});
    for (std::size_t k = 0; k < expected.size(); ++k)
      worst = std::max(worst, difference(results[k], expected[k]));
  }
  CHECK(worst <= 2e-6);
  CHECK(compiled.traces() <= 5);
  CHECK(compiled.programs() == 3);
}

TEST_CASE("compile: one symbolic program serves no rows, one row, few and many") {
  const auto f = [](const Tensors& t) {
    return Tensors{sum(t[0] * 2.0, {0}), t[0] - t[1], concat({t[0], t[0]})};
  };
  CompiledFunction compiled = compile(f);
  const Tensor fixed = ramp({3});
  const auto call = [&](Dim rows) {
    const Tensor x = ramp({rows, 3}) - 4.0;
    const Tensors results = compiled({x, fixed}), expected = f({x, fixed});
    for (std::size_t k = 0; k < expected.size(); ++k) {
      CHECK(results[k].shape() == expected[k].shape());
      CHECK(results[k].to_vector<float>() == expected[k].to_vector<float>());
    }
  };
  for (Dim rows : {2, 3, 4}) call(rows);
  const int traces = compiled.traces();
  CHECK(compiled.program().graph().spec(0).shape.has_symbol());
  CHECK_FALSE(compiled.program().graph().spec(1).shape.has_symbol());
  for (Dim rows : {0, 1, 7, 5000, 7, 0}) call(rows);
  CHECK(compiled.traces() == traces);
}

TEST_CASE("compile: sizes that were always equal share a symbol until they differ") {
  const auto f = [](const Tensors& t) { return Tensors{sum(t[0]) + sum(t[1]), t[0] * 2.0}; };
  CompiledFunction compiled = compile(f);
  const auto call = [&](Dim a, Dim b) {
    const Tensor x = ones({a, 2}), y = ones({b});
    CHECK(compiled({x, y})[0].item() == doctest::Approx(2.0 * a + b));
  };
  for (Dim n : {2, 3, 4, 5}) call(n, n);
  const Graph& shared = compiled.program().graph();
  CHECK(shared.spec(0).shape[0] == shared.spec(1).shape[0]);
  call(5, 6);
  const Graph& apart = compiled.program().graph();
  CHECK(apart.spec(0).shape[0] != apart.spec(1).shape[0]);
  const int traces = compiled.traces();
  for (Dim n = 1; n < 50; ++n) call(n, (7 * n) % 11);
  CHECK(compiled.traces() == traces);
}

TEST_CASE("compile: what cannot have symbolic sizes is traced for each, and the log says why") {
  const auto halves = [](const Tensors& t) {
    return Tensors{reshape(t[0], {2, t[0].size(0) / 2})};
  };
  const auto scaled = [](const Tensors& t) {
    return Tensors{t[0] / static_cast<double>(t[0].size(0))};
  };
  const auto refused = [](const Tensors& t) {
    if (t[0].size(0) < 0) throw ShapeError("[rows] no number");
    return Tensors{t[0] * 2.0};
  };
  const auto check = [](const CompiledFunction::Function& f, const std::string& reason) {
    CompiledFunction compiled = compile(f, {.name = "f"});
    const std::string text = logged("compile", [&] {
      for (Dim n : {2, 4, 6, 8, 4}) {
        const Tensor x = ramp({n});
        CHECK(compiled({x})[0].to_vector<float>() == f({x})[0].to_vector<float>());
      }
    });
    CHECK(compiled.programs() == 4);
    CAPTURE(text);
    CHECK(text.find("[compile] f: each leading size is traced by itself: " + reason) !=
          std::string::npos);
  };
  check(halves, "");
  check(scaled, "it reads a leading size as a number");
  check(refused, "[rows] no number");
}

TEST_CASE("compile: the log is silent unless asked for") {
  CompiledFunction compiled = compile([](const Tensors& t) { return Tensors{exp(t[0])}; });
  CHECK(logged("", [&] { compiled({ones({2})}); }) == "");
  CHECK(logged("plan", [&] { compiled({ones({20})}); }) ==
        "[plan] arena 128 bytes for 80 bytes of tensors, 1 of 1 operations run\n");
  const std::string text = logged("other,compile", [&] { compiled({ones({3, 1})}); });
  CHECK(
      text.starts_with("[compile] function: trace 3 for (float32 (3, 1)): 1 operations, 1 after "));
}

TEST_CASE("compile: programs are kept up to the capacity, the one unused for longest goes") {
  CompiledFunction compiled =
      compile([](const Tensors& t) { return Tensors{t[0] + 1.0}; }, {.capacity = 2});
  const auto traces_for = [&](const Shape& shape) {
    const int before = compiled.traces();
    compiled({ones(shape)});
    return compiled.traces() - before;
  };
  CHECK(traces_for({1}) == 1);
  CHECK(traces_for({1, 2}) == 1);
  CHECK(traces_for({1}) == 0);
  CHECK(traces_for({1, 3}) == 1);  // (1, 2) goes
  CHECK(compiled.programs() == 2);
  CHECK(traces_for({1}) == 0);
  CHECK(traces_for({1, 2}) == 1);
}

TEST_CASE("compile: variables that the function assigns, and those that others do") {
  const Variable total(scalar(0, DType::float64), {.trainable = false});
  const Variable rate(scalar(2, DType::float64), {.trainable = false});
  CompiledFunction compiled = compile([&](const Tensors& t) {
    const Tensor before = total.value() * 1.0;
    total.assign(total.value() + sum(t[0]) * rate);
    return Tensors{before, total};
  });
  const auto borrowed = compiled.replay(std::vector<Tensor>{ones({3}, DType::float64)});
  CHECK(borrowed[0].item() == 0);
  CHECK(borrowed[1].item() == 6);
  rate.assign(scalar(10, DType::float64));
  const Tensors results = compiled({ones({3}, DType::float64)});
  CHECK(results[0].item() == 6);
  CHECK(results[1].item() == 36);
  CHECK(borrowed[1].item() == 36);  // a borrowed result is the variable itself
  total.assign(scalar(1, DType::float64));
  CHECK(compiled({ones({3}, DType::float64)})[1].item() == 31);
  CHECK(results[1].item() == 36);
  CHECK(compiled.traces() == 1);
}

TEST_CASE("compile: a program is not differentiated, and says so") {
  const Variable w(scalar(3), {.name = "w"});
  CompiledFunction compiled =
      compile([&](const Tensors& t) { return Tensors{t[0] * w}; }, {.name = "product"});
  CHECK(error_of<GradientError>([&] { compiled({requires_grad(scalar(2))}); }) ==
        "[product] argument 0 is tracked for gradients; programs are not differentiated");
  const NoGrad untracked;
  CHECK(compiled({requires_grad(scalar(2))})[0].item() == 6);
}

TEST_CASE("compile: gradients are computed inside, whatever mode the first caller is in") {
  CompiledFunction slope = compile([](const Tensors& t) {
    const Tensor x = requires_grad(t[0]);
    return Tensors{grad(x * x * x, x)};
  });
  const NoGrad untracked;
  CHECK(slope({scalar(2)})[0].item() == 12);
}

TEST_CASE("compile: inside of a trace the function itself is traced") {
  CompiledFunction inner = compile([](const Tensors& t) { return Tensors{exp(t[0])}; });
  CompiledFunction outer = compile([&](const Tensors& t) { return Tensors{inner(t)[0] + 1.0}; });
  CHECK(outer({scalar(0)})[0].item() == 2);
  CHECK(inner.traces() == 0);
}

TEST_CASE("compile: what is wrong is said as without compiling") {
  CompiledFunction compiled =
      compile([](const Tensors& t) { return Tensors{matmul(t[0], t[1])}; }, {.name = "product"});
  const Tensors unfit{ones({2, 3}), ones({2, 3})};
  CHECK(error_of<ShapeError>([&] { compiled(unfit); }) ==
        error_of<ShapeError>([&] { matmul(unfit[0], unfit[1]); }));
  CHECK(error_of<ValueError>([&] {
          compiled({Tensor(), unfit[1]});
        }) == "[product] argument 0 is undefined");
  CHECK(error_of<ValueError>([&] { compile({}); }) == "[function] there is no function");
  CHECK(error_of<ValueError>([&] { compiled.program(); }) ==
        "[product] the function was not called yet");
  CHECK(error_of<ValueError>([] {
          compile([](const Tensors& t) { return t; }, {.capacity = 0});
        }) == "[function] capacity 0; expected 1 or more");
}

TEST_CASE("compile: a host read names operation, node and layer") {
  CompiledFunction compiled = compile([](const Tensors& t) {
    const NameScope scope("beta");
    const Tensor y = exp(t[0] * 2.0);
    return y.item() > 0 ? Tensors{y} : t;
  });
  CHECK(error_of<TraceError>([&] { compiled({scalar(1)}); }) ==
        "[data] the elements of a traced tensor float32 () are not known (exp, node 1, layer "
        "beta)");
}

}  // namespace
}  // namespace milgrad
