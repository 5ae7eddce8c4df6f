// Dense layers and their updates in one pass against the operations that they stand for, over the
// shapes at which the kernels change their form.
#include "tensor/apply.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/registry/kernel_checks.h"
#include "tests/registry/sample_tensors.h"
#include "tests/values.h"

#include <array>
#include <cmath>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

Tensor numbers(const Shape& shape, std::uint64_t seed, DType dtype,
               SampleInput::Domain domain = SampleInput::Domain::normal) {
  return test::converted(test::sample_tensor({.shape = shape, .domain = domain}, seed), dtype);
}

/// x, g, step size, kernel [k, n] and slots, bias and slots.
Tensors update_inputs(Dim m, Dim k, Dim n, int slots, DType dtype) {
  using Domain = SampleInput::Domain;
  Tensors in{numbers({m, k}, 1, dtype), numbers({m, n}, 2, dtype), scalar(0.01, DType::float64)};
  for (const Shape& shape : {Shape{k, n}, Shape{n}})
    for (int i = 0; i <= slots; ++i)
      in.push_back(
          numbers(shape, 3 + in.size(), dtype, i == 2 ? Domain::positive : Domain::normal));
  return in;
}

Tensors widened(const Tensors& in) {
  Tensors wide;
  for (const Tensor& x : in) wide.push_back(test::converted(x, DType::float64));
  return wide;
}

/// New values and outputs of a kernel, guards checked.
Tensors results_of(Op op, const Attrs& attrs, const Tensors& in) {
  const OpDef& def = definition(op);
  const auto outputs =
      def.infer.value({.op = def.name.value, .attrs = attrs, .inputs = specs_of(in)});
  test::KernelRun run = test::run_kernel(op, attrs, in, outputs);
  CHECK(run.failures == std::vector<std::string>{});
  run.mutated.insert(run.mutated.end(), run.outputs.begin(), run.outputs.end());
  return run.mutated;
}

void check_against_reference(Op op, const Attrs& attrs, const Tensors& in) {
  const bool narrow = in[0].dtype() == DType::float32;
  const Tensors found = results_of(op, attrs, in);
  const Tensors expected = definition(op).reference(widened(in), attrs);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(test::largest_difference(found[i], expected[i]) < (narrow ? 1e-5 : 1e-13));
  }
}

void check_same_bits_for_any_threads(Op op, const Attrs& attrs, const Tensors& in) {
  test::check_same_bits_for_any_thread_count([&] { return results_of(op, attrs, in); });
}

constexpr Dim kWidths[] = {1, 2, 3, 4, 8, 10, 16, 17, 48, 100, 130};

}  // namespace

TEST_CASE("dense: every form of the forward kernel against linear() in float64") {
  for (DType dtype : {DType::float32, DType::float64})
    for (Dim m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 20})
      for (Dim n : kWidths)
        for (Dim k : {Dim{1}, Dim{37}, 1300 / n + 1}) {
          CAPTURE(m);
          CAPTURE(k);
          CAPTURE(n);
          check_against_reference(
              Op::dense, DenseAttrs{Activation::tanh},
              {numbers({m, k}, 1, dtype), numbers({k, n}, 2, dtype), numbers({n}, 3, dtype)});
        }
}

TEST_CASE("dense: large kernels, cut into row parts") {
  for (DType dtype : {DType::float32, DType::float64})
    for (auto [m, k, n] : {std::array<Dim, 3>{3, 784, 128},
                           {1, 30, 2000},
                           {5, 13000, 1},
                           {2, 9000, 3},
                           {20, 300, 130},
                           {300, 4100, 24}}) {
      CAPTURE(m);
      CAPTURE(k);
      CAPTURE(n);
      const Tensors in{numbers({m, k}, 1, dtype), numbers({k, n}, 2, dtype),
                       numbers({n}, 3, dtype)};
      const Tensor found = results_of(Op::dense, DenseAttrs{}, in)[0];
      const Tensor expected = definition(Op::dense).reference(widened(in), DenseAttrs{})[0];
      CHECK(test::largest_difference(found, expected) < (dtype == DType::float32 ? 1e-5 : 1e-14));
      check_same_bits_for_any_threads(Op::dense, DenseAttrs{Activation::sigmoid}, in);
    }
}

TEST_CASE("dense: linear, matmul and dense give the same bits, whichever threads they use") {
  for (Dim m : {1, 3, 40}) {
    const Tensor x = numbers({m, 300}, 1, DType::float32),
                 w = numbers({300, 50}, 2, DType::float32);
    const Tensor y = apply_one(Op::dense, DenseAttrs{}, {x, w});
    CHECK(test::same_bits({y, y}, {linear(x, w), matmul(x, w)}));
    const Tensor b = numbers({50}, 3, DType::float32);
    CHECK(test::same_bits({apply_one(Op::dense, DenseAttrs{Activation::relu}, {x, w, b})},
                          {relu(linear(x, w, b))}));
    const Tensors both = apply(Op::multi_dense, MultiDenseAttrs{{{}, {Activation::relu, true}}},
                               std::vector<Tensor>{x, w, w, b});
    CHECK(test::same_bits(both, {y, relu(linear(x, w, b))}));
  }
}

TEST_CASE("dense update: every form of the kernels against separate operations in float64") {
  const DenseUpdate all{
      .decay = 0.02, .bias = true, .input_gradient = true, .sum_of_squares = true};
  for (DType dtype : {DType::float32, DType::float64})
    for (Dim m : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 32, 33})
      for (Dim n : kWidths)
        for (Dim k : {1, 16, 37}) {
          CAPTURE(m);
          CAPTURE(k);
          CAPTURE(n);
          check_against_reference(Op::adam_dense_update, AdamDenseAttrs{{}, all},
                                  update_inputs(m, k, n, 2, dtype));
        }
}

TEST_CASE("dense update: each option by itself, for both optimizers") {
  for (DType dtype : {DType::float32, DType::float64})
    for (Dim m : {1, 3, 10, 50})
      for (auto [k, n] : {std::array<Dim, 2>{40, 48}, {40, 50}, {300, 50}, {40, 2}})
        for (const DenseUpdate& update :
             {DenseUpdate{}, DenseUpdate{.decay = 0.1}, DenseUpdate{.input_gradient = true},
              DenseUpdate{.sum_of_squares = true}, DenseUpdate{.bias = true}}) {
          CAPTURE(m);
          CAPTURE(k);
          CAPTURE(n);
          const auto given = [&](int slots) {
            Tensors in = update_inputs(m, k, n, slots, dtype);
            if (!update.bias) in.resize(in.size() - static_cast<std::size_t>(1 + slots));
            return in;
          };
          check_against_reference(Op::adam_dense_update, AdamDenseAttrs{{}, update}, given(2));
          check_against_reference(Op::sgd_dense_update, SgdDenseAttrs{{}, update}, given(0));
          for (bool nesterov : {false, true})
            check_against_reference(Op::sgd_dense_update, SgdDenseAttrs{{0.9, nesterov}, update},
                                    given(1));
        }
}

TEST_CASE("dense update: the same bits for any number of threads") {
  const DenseUpdate all{
      .decay = 0.02, .bias = true, .input_gradient = true, .sum_of_squares = true};
  for (DType dtype : {DType::float32, DType::float64})
    for (Dim m : {1, 3, 20, 70})
      for (auto [k, n] : {std::array<Dim, 2>{784, 128}, {500, 50}, {20, 1000}, {13000, 1}}) {
        CAPTURE(m);
        CAPTURE(k);
        CAPTURE(n);
        check_same_bits_for_any_threads(Op::adam_dense_update, AdamDenseAttrs{{}, all},
                                        update_inputs(m, k, n, 2, dtype));
      }
}

TEST_CASE("dense update: NaN gradients reach the weights") {
  for (Dim m : {1, 3, 9, 40})
    for (Dim n : {1, 7, 32}) {
      Tensors in = update_inputs(m, 20, n, 2, DType::float32);
      in[1] = full({m, n}, std::nan(""));
      const Tensors found = results_of(
          Op::adam_dense_update, AdamDenseAttrs{{}, {.bias = true, .input_gradient = true}}, in);
      for (std::size_t i : {0, 3, 6})
        for (float x : found[i].data<float>()) CHECK(std::isnan(x));
    }
}
