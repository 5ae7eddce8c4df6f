// The fused losses. Expected numbers were printed by NumPy 2.4 in float64 from
// l = log(softmax(logits)): -l[i, label], -(t * l).sum(1), and
// maximum(z, 0) - z * t + log1p(exp(-abs(z))).
#include "autograd/grad.h"
#include "tensor/ops.h"
#include "tests/values.h"

#include <limits>

using namespace milgrad;
using test::check_values;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor logits() { return tensor<double>({1, 2, 0.5, -1, 0, 3, 2, 2, 2}, {3, 3}); }
Tensor labels() { return tensor<std::int64_t>({2, 0, 1}); }

const std::vector<double> kSparse = {1.964368784107945, 4.065883903757429, 1.0986122886681098};

}  // namespace

TEST_CASE("loss: sparse softmax cross-entropy") {
  check_values(sparse_softmax_cross_entropy(logits(), labels()), {3}, kSparse, 1e-15);
  check_values(
      sparse_softmax_cross_entropy(cast(logits(), DType::float32), cast(labels(), DType::int32)),
      {3}, kSparse, 2e-7);
  const Tensor x = requires_grad(logits());
  check_values(grad(sum(sparse_softmax_cross_entropy(x, labels())), x), {3, 3},
               {0.23122389762214907, 0.6285317192117624, -0.8597556168339116, -0.9828521744544796,
                0.0466126225779739, 0.9362395518765058, 0.3333333333333333, -0.6666666666666667,
                0.3333333333333333},
               1e-15);
}

TEST_CASE("loss: a label without a class is named") {
  CHECK_THROWS_WITH_AS(
      sparse_softmax_cross_entropy(logits(), tensor<std::int64_t>({0, 3, 1})),
      "[sparse_softmax_cross_entropy] label 3 in row 1 of (3,) has no class; expected 0..2",
      ValueError);
  CHECK_THROWS_WITH_AS(
      sparse_softmax_cross_entropy(logits(), tensor<std::int32_t>({0, 1, -1})),
      "[sparse_softmax_cross_entropy] label -1 in row 2 of (3,) has no class; expected 0..2",
      ValueError);
  CHECK_THROWS_WITH_AS(
      sparse_softmax_cross_entropy(logits(), tensor<std::int64_t>({0, 1})),
      "[sparse_softmax_cross_entropy] labels have shape (2,); expected (3,) for logits (3, 3)",
      ShapeError);
  CHECK_THROWS_AS(sparse_softmax_cross_entropy(logits(), tensor<double>({0, 1, 2})), DTypeError);
}

TEST_CASE("loss: dense softmax cross-entropy") {
  const Tensor t = tensor<double>({.2, .3, .5, 1, 0, 0, 0, .5, .25}, {3, 3});
  check_values(softmax_cross_entropy(logits(), t), {3},
               {1.4143687841079449, 4.065883903757429, 0.8239592165010823}, 1e-15);
  check_values(softmax_cross_entropy(logits(), tensor<double>({0, 0, 1, 1, 0, 0, 0, 1, 0}, {3, 3})),
               {3}, kSparse, 1e-15);
}

TEST_CASE("loss: extreme logits give exact losses and finite gradients") {
  for (DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = requires_grad(cast(tensor<double>({1e4, -1e4, -1e4, 1e4}, {2, 2}), dtype));
    const Tensor loss = sparse_softmax_cross_entropy(x, tensor<std::int64_t>({0, 0}));
    check_values(loss, {2}, {0, 2e4});
    check_values(grad(sum(loss), x), {2, 2}, {0, 0, -1, 1});
    const Tensor masked = cast(tensor<double>({0, -kInf}, {1, 2}), dtype);
    check_values(softmax_cross_entropy(masked, cast(tensor<double>({1, 0}, {1, 2}), dtype)), {1},
                 {0});
    check_values(sparse_softmax_cross_entropy(masked, tensor<std::int64_t>({1})), {1}, {kInf});
    const Tensor broken = cast(tensor<double>({0, kNan}, {1, 2}), dtype);
    check_values(sparse_softmax_cross_entropy(broken, tensor<std::int64_t>({0})), {1}, {kNan});
  }
}

TEST_CASE("loss: binary cross-entropy from logits") {
  const Tensor z = tensor<double>({0.5, -1.5, 3, -20, 20}), t = tensor<double>({1, 0, .25, 1, 1});
  check_values(binary_cross_entropy_with_logits(z, t), {5},
               {0.4740769841801067, 0.2014132779827524, 2.298587351573742, 20.000000002061153,
                2.061153620314381e-09},
               1e-15);
  const Tensor extreme = tensor<double>({1e4, -1e4, kNan, kInf});
  check_values(binary_cross_entropy_with_logits(extreme, tensor<double>({0, 1, 1, 0})), {4},
               {1e4, 1e4, kNan, kNan});
  CHECK_THROWS_WITH_AS(
      binary_cross_entropy_with_logits(z, zeros({5, 1}, DType::float64)),
      "[binary_cross_entropy_with_logits] targets have shape (5, 1); expected (5,) as the logits",
      ShapeError);
}

TEST_CASE("loss: the same bits for any number of threads") {
  const Tensor x = test::noisy({20000, 10}), t = test::noisy({20000, 10}, 2);
  const Tensor winners = argmax(t);
  test::check_same_bits_for_any_thread_count(
      [&] { return sparse_softmax_cross_entropy(x, winners); });
  test::check_same_bits_for_any_thread_count([&] { return softmax_cross_entropy(x, t); });
  test::check_same_bits_for_any_thread_count(
      [&] { return binary_cross_entropy_with_logits(x, t); });
}
