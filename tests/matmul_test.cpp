// Matrix products against a plain triple loop in float64, over odd sizes, tile borders, long inner
// dimensions and all flags.
#include "backends/cpu/gemm.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/values.h"

#include <cmath>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

/// Numbers in (-1, 1), the same in float32 and float64.
Tensor random_matrix(const Shape& shape, std::uint64_t seed, DType dtype) {
  const Tensor key = RandomGenerator(seed).next_key();
  return cast(random_uniform(key, shape, {.low = -1}), dtype);
}

/// The largest difference to the triple loop, relative to the sum of absolute products.
double error_of_product(const Tensor& a, const Tensor& b, const Tensor& c, MatmulAttrs flags) {
  const auto [ta, tb] = flags;
  const Dim m = c.size(0), n = c.size(1), k = a.size(ta ? 0 : 1);
  const auto x = cast(a, DType::float64).to_vector<double>();
  const auto y = cast(b, DType::float64).to_vector<double>();
  const auto z = cast(c, DType::float64).to_vector<double>();
  double worst = 0;
  for (Dim i = 0; i < m; ++i)
    for (Dim j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (Dim p = 0; p < k; ++p) {
        const double product = x[static_cast<std::size_t>(ta ? p * m + i : i * k + p)] *
                               y[static_cast<std::size_t>(tb ? j * k + p : p * n + j)];
        sum += product;
        size += std::abs(product);
      }
      worst = std::max(
          worst, std::abs(z[static_cast<std::size_t>(i * n + j)] - sum) / std::max(size, 1e-30));
    }
  return worst;
}

void check_product(Dim m, Dim n, Dim k) {
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (DType dtype : {DType::float32, DType::float64}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        CAPTURE(ta);
        CAPTURE(tb);
        const Tensor a = random_matrix(ta ? Shape{k, m} : Shape{m, k}, 1, dtype);
        const Tensor b = random_matrix(tb ? Shape{n, k} : Shape{k, n}, 2, dtype);
        const Tensor c = matmul(a, b, {ta, tb});
        CHECK(error_of_product(a, b, c, {ta, tb}) < (dtype == DType::float32 ? 1e-6 : 2e-15));
      }
}

}  // namespace

TEST_CASE("matmul: odd sizes and all flags against a triple loop in float64") {
  for (const auto& [m, n, k] : std::vector<std::array<Dim, 3>>{{1, 1, 1},
                                                               {1, 7, 1},
                                                               {3, 128, 784},
                                                               {3, 1, 256},
                                                               {1, 2, 192},
                                                               {5, 3, 17},
                                                               {16, 33, 9},
                                                               {31, 1, 63},
                                                               {1, 65, 100}})
    check_product(m, n, k);
}

TEST_CASE("matmul: tile borders and partial sums of a long inner dimension") {
  check_product(257, 515, 11);
  check_product(7, 5, 70'001);
  check_product(300, 1, 5000);
}

TEST_CASE("matmul: a long inner dimension is cut into a number of parts that the sizes fix") {
  CHECK(cpu::gemm_tiles({.m = 256, .n = 1, .k = 10'000}).parts == 8);
  CHECK(cpu::gemm_tiles({.m = 784, .n = 128, .k = 3}).count == 1);
  CHECK(cpu::gemm_tiles({.m = 10'000, .n = 512, .k = 1024}).count == 8);
  CHECK(cpu::gemm_scratch({.m = 256, .n = 1, .k = 10'000}) == 8 * 256);
}

TEST_CASE("matmul: empty matrices and an empty inner dimension") {
  CHECK(matmul(zeros({0, 3}), zeros({3, 2})).shape() == Shape{0, 2});
  CHECK(matmul(zeros({2, 3}), zeros({3, 0})).shape() == Shape{2, 0});
  CHECK(matmul(zeros({2, 0}), zeros({0, 2})).to_vector<float>() == std::vector<float>(4, 0.0f));
  CHECK(linear(zeros({0, 3}), zeros({3, 2}), zeros({2})).shape() == Shape{0, 2});
  CHECK(linear(zeros({2, 0}), zeros({0, 2}), ones({2})).to_vector<float>() ==
        std::vector<float>(4, 1.0f));
  CHECK(matmul(zeros({0, 2, 3}), zeros({0, 3, 4})).shape() == Shape{0, 2, 4});
}

TEST_CASE("matmul: leading axes broadcast") {
  const Tensor a = random_matrix({5, 1, 2, 3}, 1, DType::float64);
  const Tensor b = random_matrix({4, 3, 2}, 2, DType::float64);
  const Tensor c = matmul(a, b);
  REQUIRE(c.shape() == Shape{5, 4, 2, 2});
  for (Dim i = 0; i < 5; ++i)
    for (Dim j = 0; j < 4; ++j) {
      const Tensor x = squeeze(slice(a, {.axis = 0, .start = i, .stop = i + 1}));
      const Tensor y = squeeze(slice(b, {.axis = 0, .start = j, .stop = j + 1}));
      const Tensor z =
          slice(reshape(c, {20, 2, 2}), {.axis = 0, .start = 4 * i + j, .stop = 4 * i + j + 1});
      CHECK(error_of_product(x, y, squeeze(z, {0}), {}) < 1e-15);
    }
}

TEST_CASE("matmul: one matrix for a whole batch, with either flag") {
  const Tensor a = random_matrix({2, 3, 4}, 1, DType::float64);
  const Tensor b = random_matrix({5, 4}, 2, DType::float64);
  const Tensor c = matmul(a, b, {.transpose_b = true});
  CHECK(error_of_product(reshape(a, {6, 4}), b, reshape(c, {6, 5}), {.transpose_b = true}) < 1e-15);
  const Tensor d =
      matmul(random_matrix({2, 4, 3}, 3, DType::float64), transpose(b), {.transpose_a = true});
  CHECK(d.shape() == Shape{2, 3, 5});
}

TEST_CASE("matmul: linear adds its bias to every row") {
  const Tensor x = random_matrix({2, 3, 17}, 1, DType::float64);
  const Tensor weight = random_matrix({17, 5}, 2, DType::float64);
  const Tensor bias = random_matrix({5}, 3, DType::float64);
  const auto with = linear(x, weight, bias).to_vector<double>();
  const auto without = linear(x, weight).to_vector<double>();
  for (std::size_t i = 0; i < with.size(); ++i)
    CHECK(with[i] == without[i] + bias.data<double>()[i % 5]);
}

TEST_CASE("matmul: the same bits for any number of threads") {
  const auto random = [](const Shape& shape) { return random_matrix(shape, 5, DType::float32); };
  test::check_same_bits_for_any_thread_count([&] {
    return Tensors{matmul(random({900, 784}), random({784, 128})),
                   matmul(random({10'000, 64}), random({10'000, 9}), {.transpose_a = true}),
                   matmul(random({40, 31, 65}), random({40, 65, 33})),
                   linear(random({3000, 50}), random({50, 40}), random({40})),
                   transpose(random({700, 301}))};
  });
}
