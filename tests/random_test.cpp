// Philox against published vectors, distributions against their moments and distribution
// functions, keys, dropout and shuffling.
#include "tensor/random.h"

#include "autograd/grad.h"
#include "tensor/normal_quantile.h"
#include "tensor/ops.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

constexpr Dim kCount = 200'000;

double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

/// The Kolmogorov-Smirnov statistic sqrt(n) sup |F_n - F|; above 1.95 it has a chance of 1 in 1000.
double kolmogorov_smirnov(const Tensor& x, const std::function<double(double)>& distribution) {
  std::vector<double> values = cast(x, DType::float64).to_vector<double>();
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double f = distribution(values[i]), below = static_cast<double>(i) / n;
    worst = std::max({worst, f - below, below + 1 / n - f});
  }
  return worst * std::sqrt(n);
}

struct Moments {
  double mean = 0;
  double variance = 0;
};
Moments moments(const Tensor& x) {
  const auto values = cast(x, DType::float64).to_vector<double>();
  Moments m;
  for (double v : values) m.mean += v;
  m.mean /= static_cast<double>(values.size());
  for (double v : values) m.variance += (v - m.mean) * (v - m.mean);
  m.variance /= static_cast<double>(values.size());
  return m;
}

/// Within five standard errors of the mean of kCount draws with this standard deviation.
bool near(double value, double expected, double deviation) {
  return std::abs(value - expected) < 5 * deviation / std::sqrt(static_cast<double>(kCount));
}

}  // namespace

TEST_CASE("random: Philox4x32-10 gives Random123's published numbers") {
  // Lines `philox4x32 10` of tests/kat_vectors in DEShawResearch/random123.
  const auto equal = [](PhiloxBlock a, PhiloxBlock b) {
    return std::equal(a.words, a.words + 4, b.words);
  };
  CHECK(
      equal(philox({{0, 0, 0, 0}}, {{0, 0}}), {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
  CHECK(equal(philox({{~0u, ~0u, ~0u, ~0u}}, {{~0u, ~0u}}),
              {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
  CHECK(
      equal(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, {{0xa4093822, 0x299f31d0}}),
            {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST_CASE("random: the normal quantile agrees with scipy.stats.norm.isf") {
  CHECK(upper_normal_quantile(0.5) == 0);
  CHECK(upper_normal_quantile(0.4) == doctest::Approx(0.2533471031357997).epsilon(1e-14));
  CHECK(upper_normal_quantile(0.1) == doctest::Approx(1.2815515655446004).epsilon(1e-14));
  CHECK(upper_normal_quantile(0.05) == doctest::Approx(1.6448536269514729).epsilon(1e-14));
  CHECK(upper_normal_quantile(1e-3) == doctest::Approx(3.090232306167813).epsilon(1e-14));
  CHECK(upper_normal_quantile(1e-8) == doctest::Approx(5.612001244174789).epsilon(1e-14));
  CHECK(upper_normal_quantile(1e-12) == doctest::Approx(7.034483825301131).epsilon(1e-14));
  CHECK(upper_normal_quantile(5e-20) == doctest::Approx(9.088950100825436).epsilon(1e-14));
  CHECK(truncated_normal_2(std::uint64_t{0}) <= 2);
  CHECK(truncated_normal_2(~std::uint64_t{0}) == 0);
}

TEST_CASE("random: uniform numbers fill their range evenly") {
  for (DType dtype : {DType::float32, DType::float64}) {
    const RandomGenerator random(7);
    const Tensor x =
        random_uniform(random.next_key(), {kCount}, {.low = -1, .high = 3, .dtype = dtype});
    const auto [mean, variance] = moments(x);
    CHECK(near(mean, 1, 4 / std::sqrt(12.0)));
    CHECK(near(variance, 16 / 12.0, std::sqrt(256 * (1 / 80.0 - 1 / 144.0))));
    CHECK(kolmogorov_smirnov(x, [](double v) { return (v + 1) / 4; }) < 1.95);
    const auto values = cast(x, DType::float64).to_vector<double>();
    CHECK(*std::min_element(values.begin(), values.end()) >= -1);
    CHECK(*std::max_element(values.begin(), values.end()) < 3);
  }
}

TEST_CASE("random: the upper bound is not reached even where rounding would") {
  const RandomGenerator random(3);
  const float largest = std::nextafter(0x1p24f + 2, 0.0f);
  const Tensor x = random_uniform(random.next_key(), {1000}, {.low = 0x1p24, .high = 0x1p24 + 2});
  for (float v : x.data<float>()) CHECK(v <= largest);
  CHECK(random_uniform(random.next_key(), {2}, {.low = 2, .high = 2}).to_vector<float>() ==
        std::vector<float>{2, 2});
}

TEST_CASE("random: normal and truncated normal numbers") {
  for (DType dtype : {DType::float32, DType::float64}) {
    const RandomGenerator random(11);
    const Tensor x =
        random_normal(random.next_key(), {kCount}, {.mean = 2, .stddev = 3, .dtype = dtype});
    const auto [mean, variance] = moments(x);
    CHECK(near(mean, 2, 3));
    CHECK(near(variance, 9, 9 * std::sqrt(2.0)));
    CHECK(kolmogorov_smirnov(x, [](double v) { return normal_distribution((v - 2) / 3); }) < 1.95);

    const Tensor y = random_truncated_normal(random.next_key(), {kCount}, {.dtype = dtype});
    const double inside = normal_distribution(2) - normal_distribution(-2);
    CHECK(near(moments(y).mean, 0, 0.88));
    // The standard deviation that Keras divides by (KERAS: 0.87962566103423978).
    CHECK(near(moments(y).variance, 0.87962566103423978 * 0.87962566103423978, 0.9));
    CHECK(kolmogorov_smirnov(y, [&](double v) {
            return (normal_distribution(v) - normal_distribution(-2)) / inside;
          }) < 1.95);
    const auto values = cast(y, DType::float64).to_vector<double>();
    CHECK(*std::max_element(values.begin(), values.end()) <= 2);
    CHECK(*std::min_element(values.begin(), values.end()) >= -2);
  }
}

TEST_CASE("random: float64 numbers refine the float32 numbers of the same key") {
  const Tensor key = RandomGenerator(5).next_key();
  const auto narrow = random_uniform(key, {1001}).to_vector<float>();
  const auto wide = random_uniform(key, {1001}, {.dtype = DType::float64}).to_vector<double>();
  const auto narrow_normal = random_normal(key, {1001}).to_vector<float>();
  const auto wide_normal =
      random_normal(key, {1001}, {.dtype = DType::float64}).to_vector<double>();
  for (std::size_t i = 0; i < wide.size(); ++i) {
    CHECK(wide[i] >= narrow[i]);
    CHECK(wide[i] - narrow[i] < 0x1p-24);
    CHECK(std::abs(wide_normal[i] - narrow_normal[i]) <
          1e-6 * std::max(1.0, std::abs(wide_normal[i])));
  }
}

TEST_CASE("random: the first numbers of seed 42 stay the same in all versions") {
  const RandomGenerator random(42);
  const PhiloxBlock block = philox({{0, 0, 0, 0}}, {{42, 0}});
  const auto x = random_uniform(random.next_key(), {5}).to_vector<float>();
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(x[i] == static_cast<float>(block.words[i] >> 8) / 16777216.0f);
  CHECK(x[4] == static_cast<float>(philox({{1, 0, 0, 0}}, {{42, 0}}).words[0] >> 8) / 16777216.0f);
  const auto y = random_uniform(random.next_key(), {1}).to_vector<float>();
  CHECK(y[0] == static_cast<float>(philox({{0, 0, 1, 0}}, {{42, 0}}).words[0] >> 8) / 16777216.0f);
}

TEST_CASE("random: keys differ, copies share the state, reseeding starts again") {
  const RandomGenerator random(9), same = random;
  const auto a = random.next_key().to_vector<std::int64_t>();
  const auto b = same.next_key().to_vector<std::int64_t>();
  CHECK(a == std::vector<std::int64_t>{9, 0});
  CHECK(b == std::vector<std::int64_t>{9, 1});
  random.reseed(9);
  CHECK(same.next_key().to_vector<std::int64_t>() == a);
  const RandomGenerator restored(random.state());
  CHECK(restored.next_key().to_vector<std::int64_t>() == b);
  CHECK_THROWS_WITH_AS(RandomGenerator(Variable(tensor({1.0f}))),
                       "[random] a state float32 (1,); expected int64 (2,)", ValueError);
}

TEST_CASE("random: dropout keeps its share, scales it and repeats its mask in the gradient") {
  const RandomGenerator random(13);
  const Tensor key = random.next_key();
  const Tensor x = requires_grad(full({kCount}, 2));
  const Tensor y = dropout(x, key, 0.25);
  const auto values = y.to_vector<float>();
  const auto kept = static_cast<double>(kCount - std::count(values.begin(), values.end(), 0.0f));
  CHECK(near(kept / static_cast<double>(kCount), 0.75, std::sqrt(0.75 * 0.25)));
  CHECK(std::count(values.begin(), values.end(), 2 / 0.75f) == static_cast<std::ptrdiff_t>(kept));
  const auto slope = grad(sum(y), x).to_vector<float>();
  for (std::size_t i = 0; i < 1000; ++i) CHECK(slope[i] == values[i] / 2);
  CHECK(dropout(x, key, 0).to_vector<float>() == x.to_vector<float>());
  CHECK(dropout(x, key, 1).to_vector<float>() == std::vector<float>(kCount, 0.0f));
}

TEST_CASE("random: a permutation holds every number once and all orders are equally likely") {
  const RandomGenerator random(1);
  auto order = random_permutation(random.next_key(), 1000);
  CHECK(order != random_permutation(random.next_key(), 1000));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == static_cast<std::int64_t>(i));
  CHECK(random_permutation(random.next_key(), 0).empty());

  RandomSequence sequence(RandomKey{17, 0});
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) {
    const auto p = random_permutation(sequence, 3);
    ++counts[static_cast<std::size_t>(2 * p[0] + (p[1] > p[2]))];
  }
  double chi_square = 0;
  for (int count : counts) chi_square += (count - 10'000.0) * (count - 10'000.0) / 10'000.0;
  CHECK(chi_square < 20.5);  // 5 degrees of freedom: a chance of 1 in 1000
  CHECK_THROWS_WITH_AS(sequence.below(0), "[random] no whole number is below 0", ValueError);
}

TEST_CASE("random: derived seeds differ from each other and from their parent") {
  std::set<std::uint64_t> seeds{42};
  for (std::uint64_t i = 0; i < 1000; ++i) seeds.insert(derive_seed(42, i));
  CHECK(seeds.size() == 1001);
}
