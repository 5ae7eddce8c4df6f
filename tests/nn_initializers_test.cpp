// Initializers: bounds and moments of their distributions, seeds, bad options.
#include "nn/initializers.h"
#include "nn/seed.h"
#include "tests/nn_support.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;
using test::error_of;

namespace {

struct Moments {
  double mean = 0;
  double deviation = 0;
  double largest = 0;
};

Moments moments_of(const nn::Initializer& initializer, const Shape& shape) {
  const auto values = initializer(shape, DType::float64).to_vector<double>();
  Moments m;
  for (double v : values) m.mean += v / static_cast<double>(values.size());
  for (double v : values) {
    m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
    m.largest = std::max(m.largest, std::abs(v));
  }
  m.deviation = std::sqrt(m.deviation);
  return m;
}

// 40,000 draws: the standard error of a deviation is 0.35 %.
constexpr double kTolerance = 0.015;
const Shape kShape{100, 400};

}  // namespace

TEST_CASE("nn initializers: uniform rules reach their limit, not more, with its variance") {
  const std::vector<std::pair<const char*, double>> cases{
      {"glorot_uniform", std::sqrt(6.0 / 500)},
      {"he_uniform", std::sqrt(6.0 / 100)},
      {"lecun_uniform", std::sqrt(3.0 / 100)},
      {"random_uniform", 0.05},
  };
  for (const auto& [name, limit] : cases) {
    CAPTURE(name);
    const Moments m = moments_of(name, kShape);
    CHECK(m.largest <= limit);
    CHECK(m.largest > 0.999 * limit);
    CHECK(m.deviation == doctest::Approx(limit / std::sqrt(3.0)).epsilon(kTolerance));
    CHECK(std::abs(m.mean) < 0.02 * limit);
  }
}

TEST_CASE("nn initializers: truncated normals end at two deviations and keep the variance") {
  const std::vector<std::pair<const char*, double>> cases{
      {"glorot_normal", std::sqrt(2.0 / 500)},
      {"he_normal", std::sqrt(2.0 / 100)},
      {"lecun_normal", std::sqrt(1.0 / 100)},
      {"variance_scaling", std::sqrt(1.0 / 100)},
  };
  for (const auto& [name, deviation] : cases) {
    CAPTURE(name);
    const Moments m = moments_of(name, kShape);
    CHECK(m.deviation == doctest::Approx(deviation).epsilon(kTolerance));
    CHECK(m.largest <= 2 * deviation / 0.87962566103423978);
    CHECK(m.largest > 1.95 * deviation / 0.87962566103423978);
  }
  const Moments m = moments_of(nn::TruncatedNormal({.stddev = 0.5}), kShape);
  CHECK(m.largest <= 1.0);
  CHECK(m.deviation == doctest::Approx(0.5 * 0.87962566103423978).epsilon(kTolerance));
}

TEST_CASE("nn initializers: plain normals have tails") {
  const Moments m = moments_of(nn::RandomNormal({.mean = 1, .stddev = 2}), kShape);
  CHECK(m.mean == doctest::Approx(1).epsilon(0.03));
  CHECK(m.deviation == doctest::Approx(2).epsilon(kTolerance));
  CHECK(m.largest > 6);
  const Moments scaled = moments_of(
      nn::VarianceScaling({.scale = 3, .mode = "fan_out", .distribution = "untruncated_normal"}),
      kShape);
  CHECK(scaled.deviation == doctest::Approx(std::sqrt(3.0 / 400)).epsilon(kTolerance));
}

TEST_CASE("nn initializers: fans of kernels multiply the last two sizes by the others") {
  const Moments m = moments_of("he_uniform", {5, 4, 20, 100});
  CHECK(m.largest <= std::sqrt(6.0 / 400));
  CHECK(m.largest > 0.999 * std::sqrt(6.0 / 400));
}

TEST_CASE("nn initializers: constants") {
  CHECK(nn::Initializer("zeros")({2}).to_vector<float>() == std::vector<float>{0, 0});
  CHECK(nn::Initializer("ones")({2}).to_vector<float>() == std::vector<float>{1, 1});
  CHECK(nn::Constant(2.5)({2}, DType::float64).to_vector<double>() ==
        std::vector<double>{2.5, 2.5});
}

TEST_CASE("nn initializers: weights that share an initializer differ") {
  const nn::Initializer unseeded = "glorot_uniform";
  CHECK(unseeded({3, 4}).to_vector<float>() != unseeded({3, 4}).to_vector<float>());
  const nn::Initializer seeded = nn::GlorotUniform({.seed = 7});
  const nn::Initializer copy = seeded;
  const auto first = seeded({3, 4}).to_vector<float>();
  const auto second = copy({3, 4}).to_vector<float>();
  CHECK(first != second);
  const nn::Initializer again = nn::GlorotUniform({.seed = 7});
  CHECK(again({3, 4}).to_vector<float>() == first);
  CHECK(again({3, 4}).to_vector<float>() == second);
}

TEST_CASE("nn initializers: set_random_seed and SeedScope repeat the numbers") {
  const auto draw = [] { return nn::Initializer("he_normal")({5}).to_vector<float>(); };
  nn::set_random_seed(11);
  const auto first = draw();
  const auto second = draw();
  std::vector<float> scoped;
  {
    const nn::SeedScope scope(3);
    scoped = draw();
    {
      const nn::SeedScope inner(4);
      CHECK(draw() != scoped);
    }
    CHECK(draw() != scoped);
  }
  nn::set_random_seed(11);
  CHECK(draw() == first);
  {
    const nn::SeedScope scope(3);
    CHECK(draw() == scoped);
  }
  CHECK(draw() == second);
  nn::set_random_seed(12);
  CHECK(draw() != first);
}

TEST_CASE("nn initializers: bad names and options are refused") {
  CHECK(error_of<ValueError>([] { nn::Initializer("glorot_unifrom"); }) ==
        "[initializer] there is no \"glorot_unifrom\"; did you mean \"glorot_uniform\"?");
  CHECK(error_of<ValueError>([] { nn::VarianceScaling({.scale = 0}); }) ==
        "[VarianceScaling] got the scale 0; expected a finite number > 0");
  CHECK(error_of<ValueError>([] { nn::VarianceScaling({.mode = "fan_on"}); }) ==
        "[VarianceScaling mode] there is no \"fan_on\"; did you mean \"fan_in\"?");
  CHECK(error_of<ValueError>([] { nn::RandomNormal({.stddev = -1}); }) ==
        "[RandomNormal] got mean 0 and stddev -1; expected finite numbers, stddev >= 0");
  CHECK(error_of<ValueError>([] { nn::RandomUniform({.minval = 1, .maxval = 0}); }) ==
        "[RandomUniform] got the range 1..0; expected finite numbers in rising order");
  const nn::Initializer wrong(
      "wrong", [](const Shape&, DType dtype, std::uint64_t) { return zeros({3}, dtype); });
  CHECK(error_of<ValueError>([&] { wrong({2}); }) ==
        "[wrong] the initializer gave float32 (3,); expected float32 (2,)");
}
