// Chains: the bits of the operations they are made of, for every operation, dtype and broadcast;
// sums that do not depend on threads; results over inputs; what is refused.
#include "tensor/chain.h"

#include "backends/kernel_table.h"
#include "tensor/operators.h"
#include "tensor/ops/definitions.h"
#include "tests/registry/sample_tensors.h"
#include "tests/values.h"

#include <random>

#include <doctest/doctest.h>

using namespace milgrad;
using milgrad::test::check_values;
using milgrad::test::largest_difference;
using milgrad::test::noise;

namespace {

std::shared_ptr<const Chain> make(ChainParts parts) {
  return std::make_shared<const Chain>(std::move(parts));
}

Tensors by_operations(const std::shared_ptr<const Chain>& parts, const Tensors& inputs) {
  return definition(Op::chain).reference(inputs, ChainAttrs{parts});
}

/// Equal numbers; sums within `tolerance`.
void check_chain(const std::shared_ptr<const Chain>& parts, const Tensors& inputs,
                 double tolerance = 1e-6) {
  CAPTURE(parts->to_string());
  const Tensors actual = chain(parts, inputs), expected = by_operations(parts, inputs);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    REQUIRE(actual[i].spec() == expected[i].spec());
    CHECK(largest_difference(actual[i], expected[i]) <=
          (parts->parts().results[i].summed ? tolerance : 0));
  }
}

Tensor noisy(const Shape& shape, DType dtype, std::uint64_t seed) {
  return cast(2.0 * test::noisy(shape, seed), dtype);
}

constexpr Op kUnary[] = {
#define OP(name)
#define UNARY(name) Op::name,
#define BINARY(name)
#define COMPARISON(name)
#include "tensor/ops.def"
#undef OP
};
constexpr Op kBinary[] = {
#define OP(name)
#define UNARY(name)
#define BINARY(name) Op::name,
#define COMPARISON(name) Op::name,
#include "tensor/ops.def"
#undef OP
};

bool is_comparison(Op op) { return op >= Op::equal && op <= Op::greater_equal; }

/// A random chain of `count` instructions over `inputs` floating inputs.
std::shared_ptr<const Chain> random_chain(std::mt19937& random, int inputs, int count) {
  ChainParts parts{.inputs = inputs};
  std::vector<int> numbers, bools;
  const auto pick = [&](const std::vector<int>& from) { return from[random() % from.size()]; };
  // The sum of all inputs comes first, so that every value built on it has the chain's shape.
  int all = 0;
  for (int i = 1; i < inputs; ++i) {
    parts.instructions.push_back({Op::add, {}, {all, i}});
    all = inputs + i - 1;
  }
  if (inputs == 1) parts.instructions.push_back({Op::neg, {}, {0}}), all = 1;
  numbers.push_back(all);
  for (int i = 0; i < count; ++i) {
    const int next = inputs + static_cast<int>(parts.instructions.size());
    const unsigned kind = random() % 8;
    if (kind < 3) {
      parts.instructions.push_back({kUnary[random() % std::size(kUnary)], {}, {pick(numbers)}});
    } else if (kind < 6 || bools.empty()) {
      const Op op = kBinary[random() % std::size(kBinary)];
      const int other =
          random() % 2 == 0 ? static_cast<int>(random() % unsigned(inputs)) : pick(numbers);
      parts.instructions.push_back({op, {}, {pick(numbers), other}});
      if (is_comparison(op)) {
        bools.push_back(next);
        continue;
      }
    } else if (kind == 6) {
      parts.instructions.push_back({Op::where, {}, {pick(bools), pick(numbers), 0}});
    } else {
      parts.instructions.push_back({Op::logical_xor, {}, {pick(bools), pick(bools)}});
      bools.push_back(next);
      continue;
    }
    numbers.push_back(next);
  }
  parts.results.push_back({numbers.back()});
  if (!bools.empty()) parts.results.push_back({bools.back()});
  if (numbers.size() > 2) parts.results.push_back({numbers[numbers.size() / 2]});
  if (parts.results.front() == parts.results.back()) parts.results.resize(1);
  return make(std::move(parts));
}

Shape part_of(const Shape& full, std::mt19937& random) {
  Shape shape;
  const int rank = static_cast<int>(random() % static_cast<unsigned>(full.rank() + 1));
  for (int axis = full.rank() - rank; axis < full.rank(); ++axis)
    shape.push_back(random() % 2 == 0 ? full[axis] : 1);
  return shape;
}

}  // namespace

TEST_CASE("chain: every elementwise operation gives the bits of the operation alone") {
  const Tensor x = noisy({3, 37}, DType::float32, 1), y = noisy({3, 37}, DType::float32, 2);
  for (DType dtype : {DType::float32, DType::float64}) {
    const Tensor a = cast(x, dtype), b = cast(y, dtype);
    for (Op op : kUnary) check_chain(make({1, {{op, {}, {0}}}, {{1}}}), {a});
    for (Op op : kBinary) check_chain(make({2, {{op, {}, {0, 1}}}, {{2}}}), {a, b});
    check_chain(make({1, {{Op::elu, NumberAttrs{0.7}, {0}}}, {{1}}}), {a});
    check_chain(make({1, {{Op::clip, NumberAttrs{-0.2, 0.4}, {0}}}, {{1}}}), {a});
    check_chain(make({1, {{Op::log, {}, {0}}, {Op::isfinite, {}, {1}}}, {{2}, {1}}}), {a});
  }
}

TEST_CASE("chain: random chains of any size, dtype and broadcast give the operations' numbers") {
  std::mt19937 random(5);
  const std::vector<Shape> shapes = {{},       {1},       {2},       {16},
                                     {17},     {3, 5},    {2, 3, 4}, {5, 1, 33},
                                     {70, 20}, {4, 1025}, {3000},    {2, 3, 2, 3, 2, 3}};
  for (int round = 0; round < 120; ++round) {
    const Shape& full = shapes[static_cast<std::size_t>(round) % shapes.size()];
    const DType dtype = round % 3 == 0 ? DType::float64 : DType::float32;
    const int inputs = 1 + static_cast<int>(random() % 4);
    CAPTURE(full.to_string());
    Tensors values = {noisy(full, dtype, random())};
    for (int i = 1; i < inputs; ++i)
      values.push_back(noisy(part_of(full, random), dtype, random()));
    check_chain(random_chain(random, inputs, 1 + static_cast<int>(random() % 9)), values);
  }
}

TEST_CASE("chain: large ones give the same bits on any number of threads") {
  const Tensor x = noisy({301, 517}, DType::float32, 3), row = noisy({517}, DType::float32, 4),
               column = noisy({301, 1}, DType::float32, 5);
  const std::vector<ChainInstruction> instructions = {
      {Op::mul, {}, {0, 1}}, {Op::add, {}, {3, 2}}, {Op::tanh, {}, {4}}};
  const auto plain = make({3, instructions, {{5}, {3}}});
  check_chain(plain, {x, row, column});
  milgrad::test::check_same_bits_for_any_thread_count([&] {
    return chain(plain, Tensors{x, row, column})[0];
  });
  for (const Axes& axes : {Axes{0}, Axes{1}, Axes{0, 1}}) {
    const auto summed = make({3, instructions, {{5, true}, {4}, {3, true}}, {.axes = axes}});
    check_chain(summed, {x, row, column}, 2e-6);
    milgrad::test::check_same_bits_for_any_thread_count([&] {
      return chain(summed, Tensors{x, row, column})[2];
    });
  }
}

TEST_CASE("chain: sums of rows, columns and everything at all sizes") {
  const auto summed = [](Axes axes, bool keep_dims) {
    return make({1,
                 {{Op::square, {}, {0}}, {Op::neg, {}, {1}}},
                 {{1, true}, {2}},
                 {.axes = axes, .keep_dims = keep_dims}});
  };
  for (const Shape& shape :
       {Shape{1, 1}, Shape{1, 40}, Shape{40, 1}, Shape{7, 100}, Shape{100, 7}, Shape{3, 5000},
        Shape{5000, 3}, Shape{2, 70001}, Shape{70001, 2}, Shape{0, 3}, Shape{3, 0}})
    for (DType dtype : {DType::float32, DType::float64})
      for (const Axes& axes : {Axes{0}, Axes{1}, Axes{0, 1}}) {
        CAPTURE(shape.to_string());
        CAPTURE(axes.to_string());
        check_chain(summed(axes, shape[0] == 7), {noisy(shape, dtype, 6)},
                    dtype == DType::float32 ? 2e-6 : 1e-13);
      }
}

TEST_CASE("chain: casts of inputs and of bools") {
  const auto labels = tensor<std::uint8_t>({0, 1, 255, 7, 9, 3});
  const auto counts = tensor<std::int64_t>({-3, 1, 1 << 25, 7, 9, 3});
  const DTypeAttrs to32{DType::float32}, to_bool{DType::boolean};
  const auto pixels = make({2,
                            {{Op::cast, to32, {0}},
                             {Op::mul, {}, {2, 1}},
                             {Op::greater, {}, {2, 3}},
                             {Op::cast, to32, {4}},
                             {Op::cast, to_bool, {3}}},
                            {{3}, {5}, {6}, {2}}});
  check_chain(pixels, {labels, scalar(0.25)});
  check_chain(pixels, {counts, scalar(0.25)});
  check_chain(pixels, {cast(counts, DType::float64), scalar(0.25)});
  const auto scaled = make({2, {{Op::cast, to32, {0}}, {Op::mul, {}, {2, 1}}}, {{3}}});
  const auto column = tensor(std::vector<std::int32_t>{3, -2}, {2, 1});
  check_chain(scaled, {column, noisy({2, 5}, DType::float32, 7)});
  check_chain(scaled, {scalar(3, DType::uint8), noisy({2, 5}, DType::float32, 7)});
  const auto choice = make({3,
                            {{Op::where, {}, {0, 1, 2}},
                             {Op::logical_not, {}, {0}},
                             {Op::cast, to32, {0}},
                             {Op::add, {}, {3, 5}}},
                            {{6}, {3}}});
  const Tensor mask = greater(noisy({4, 1}, DType::float32, 8), 0.0);
  check_chain(choice, {mask, noisy({4, 9}, DType::float32, 9), scalar(2)});
  check_chain(choice, {scalar(1, DType::boolean), noisy({4, 9}, DType::float32, 9), scalar(2)});
}

TEST_CASE("chain: the first result may lie where an input lies") {
  // Value 2 goes out first; 0 is read once more afterwards.
  const auto parts = make(
      {2, {{Op::mul, {}, {0, 1}}, {Op::sub, {}, {0, 2}}, {Op::less, {}, {0, 3}}}, {{2}, {3}, {4}}});
  for (Dim size : {5, 32, 2000}) {
    Tensors inputs = {noisy({size}, DType::float32, 10), noisy({size}, DType::float32, 11)};
    const Tensors expected = by_operations(parts, inputs);
    Tensors outputs;
    for (const Tensor& y : expected) outputs.push_back(Tensor::empty(y.spec()));
    outputs[0] = inputs[0];
    const auto views = [](const Tensors& tensors) {
      std::vector<View> result;
      for (const Tensor& x : tensors)
        result.push_back({x.raw_data(), x.shape(), x.dtype(), x.numel()});
      return result;
    };
    const std::vector<View> in = views(inputs), out = views(outputs);
    const Attrs attrs = ChainAttrs{parts};
    find_kernel(Op::chain, Device::cpu())({.inputs = in, .outputs = out, .attrs = attrs});
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(largest_difference(outputs[i], expected[i]) == 0);
  }
}

TEST_CASE("chain: equal chains are equal attributes and print as a program") {
  const ChainParts parts{2,
                         {{Op::mul, {}, {0, 1}}, {Op::clip, NumberAttrs{0, 2}, {2}}},
                         {{3, true}, {2}},
                         {.axes = {1}}};
  ChainParts other = parts;
  CHECK(Attrs(ChainAttrs{make(parts)}) == Attrs(ChainAttrs{make(other)}));
  other.instructions[1].attrs = NumberAttrs{0, 3};
  CHECK_FALSE(Attrs(ChainAttrs{make(parts)}) == Attrs(ChainAttrs{make(other)}));
  CHECK(make(parts)->to_string() ==
        "t0 = mul(x0, x1); t1 = clip(t0, 0, 2); return sum(t1, axes=(1,), keep_dims=false), t0");
}

TEST_CASE("chain: parts that cannot be run are refused") {
  const auto message = [](ChainParts parts) -> std::string {
    try {
      Chain chain(std::move(parts));
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message({1, {{Op::softmax, AxisAttrs{0}, {0}}}, {{1}}}) ==
        "[chain] instruction 0 is softmax; expected an elementwise operation");
  CHECK(message({1, {{Op::add, {}, {0}}}, {{1}}}) ==
        "[chain] instruction 0, add, has 1 operands; expected 2");
  CHECK(message({1, {{Op::add, {}, {0, 1}}}, {{1}}}) ==
        "[chain] instruction 0, add, reads value 1; expected 0..0");
  CHECK(message({1, {{Op::neg, {}, {0}}}, {{0}}}) ==
        "[chain] value 0 is no result of an instruction; expected 1..1");
  CHECK(message({1, {{Op::neg, {}, {0}}}, {{1}, {1}}}) == "[chain] value 1 is returned twice");
  CHECK(message({1, {{Op::isfinite, {}, {0}}}, {{1, true}}}) ==
        "[chain] value 1 is bool; expected numbers to sum");
  CHECK(message({17, {{Op::neg, {}, {0}}}, {{17}}}) == "[chain] got 17 inputs; expected 1..16");
  CHECK_THROWS_WITH_AS(
      chain(make({1, {{Op::exp, {}, {0}}}, {{1}}}), Tensors{scalar(1, DType::int32)}),
      doctest::Contains("[chain] instruction 0: [exp] input 0 is int32"), DTypeError);
  CHECK_THROWS_WITH_AS(
      chain(make({1, {{Op::neg, {}, {0}}}, {{1}}}), Tensors{scalar(1, DType::int32)}),
      doctest::Contains("[chain] value 0 is int32 (); expected float32 or float64"), DTypeError);
}
