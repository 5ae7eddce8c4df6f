// Ragged batches. Expected numbers were printed by NumPy 2.4 in float64, bag by bag:
// x[a:b].sum(0), .mean(0), .max(0) and softmax over axis 0 for a, b in zip(offsets, offsets[1:]).
#include "autograd/grad.h"
#include "tensor/ops.h"
#include "tests/values.h"

#include <limits>

using namespace milgrad;
using test::check_values;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor instances() { return tensor<double>({0.5, -1.25, 2, 0.75, -0.5, 3, 1, 1, 4, -2}, {5, 2}); }
Tensor offsets() { return tensor<std::int64_t>({0, 2, 2, 5}); }  // the second bag is empty

}  // namespace

TEST_CASE("segment: sum, mean, max and softmax of each bag; an empty bag gives 0") {
  const Tensor x = instances(), o = offsets();
  check_values(segment_sum(x, o), {3, 2}, {2.5, -0.5, 0, 0, 4.5, 2});
  check_values(segment_mean(x, o), {3, 2}, {1.25, -0.25, 0, 0, 1.5, 0.6666666666666666}, 1e-16);
  check_values(segment_max(x, o), {3, 2}, {2, 0.75, 0, 0, 4, 3});
  check_values(segment_softmax(x, o), {5, 2},
               {0.18242552380635632, 0.11920292202211755, 0.8175744761936437, 0.8807970779778823,
                0.010471333531834241, 0.8756005950630876, 0.04692926104148601, 0.11849965453500959,
                0.9425994054266796, 0.005899750401902781},
               1e-15);
  check_values(segment_broadcast(tensor<double>({1, 2, 3}), o, x), {5}, {1, 1, 3, 3, 3});
}

TEST_CASE("segment: gradients, empty bags and equal maxima included") {
  const Tensor x = requires_grad(tensor<double>({1, 5, 5, 2}, {4})),
               o = tensor<std::int64_t>({0, 3, 3, 4}), g = tensor<double>({6, 100, 7});
  check_values(grad(segment_sum(x, o), x, {.cotangents = {g}}), {4}, {6, 6, 6, 7});
  check_values(grad(segment_mean(x, o), x, {.cotangents = {g}}), {4}, {2, 2, 2, 7}, 1e-15);
  check_values(grad(segment_max(x, o), x, {.cotangents = {g}}), {4}, {0, 3, 3, 7});
  const Tensor y = requires_grad(tensor<double>({1, 2, 3}));
  check_values(grad(segment_broadcast(y, o, x), y, {.cotangents = {tensor<double>({1, 2, 3, 4})}}),
               {3}, {6, 0, 4});
}

TEST_CASE("segment: bags of 0, 1 and 1000 instances; a bag alone gives the bits of the batch") {
  const Tensor x = test::noisy({1003, 5}), o = tensor<std::int64_t>({0, 0, 1, 1001, 1003, 1003});
  const auto all = o.to_vector<std::int64_t>();
  const Tensor results[] = {segment_sum(x, o), segment_mean(x, o), segment_max(x, o)};
  const Tensor weights = segment_softmax(x, o);
  for (std::size_t bag = 0; bag + 1 < all.size(); ++bag) {
    const Dim begin = all[bag], count = all[bag + 1] - begin;
    const auto values = x.data<float>().subspan(static_cast<std::size_t>(begin * 5),
                                                static_cast<std::size_t>(count * 5));
    const Tensor alone = tensor<float>(values, {count, 5}), one = tensor<std::int64_t>({0, count});
    const Tensor expected[] = {segment_sum(alone, one), segment_mean(alone, one),
                               segment_max(alone, one)};
    for (std::size_t i = 0; i < 3; ++i)
      CHECK(std::memcmp(results[i].data<float>().data() + bag * 5, expected[i].raw_data(),
                        5 * sizeof(float)) == 0);
    CHECK(std::memcmp(weights.data<float>().data() + begin * 5,
                      segment_softmax(alone, one).raw_data(),
                      static_cast<std::size_t>(count) * 5 * sizeof(float)) == 0);
    // The dense operations are the same function of a bag.
    if (count > 0) {
      CHECK(test::same_bits(segment_softmax(alone, one), softmax(alone, 0)));
      check_values(expected[0], {1, 5}, test::numbers(sum(alone, {0})), 1e-6);
    }
  }
  const std::vector<double> sums = test::numbers(segment_sum(weights, o));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const bool empty = i / 5 == 0 || i / 5 == 4;
    CHECK(std::abs(sums[i] - (empty ? 0 : 1)) <= 1e-6);
  }
}

TEST_CASE("segment: NaN stays in its bag") {
  const Tensor x = tensor<double>({1, kNan, 2, 3}), o = tensor<std::int64_t>({0, 2, 4});
  check_values(segment_sum(x, o), {2}, {kNan, 5});
  check_values(segment_max(x, o), {2}, {kNan, 3});
  const std::vector<double> weights = test::numbers(segment_softmax(x, o));
  CHECK((std::isnan(weights[0]) && std::isnan(weights[1])));
  CHECK(weights[2] + weights[3] == doctest::Approx(1));
}

TEST_CASE("segment: no bag, no instance") {
  const Tensor none = zeros({0, 3}), o = tensor<std::int64_t>({0});
  check_values(segment_sum(none, o), {0, 3}, {});
  check_values(segment_softmax(none, o), {0, 3}, {});
  check_values(segment_max(none, tensor<std::int64_t>({0, 0})), {1, 3}, {0, 0, 0});
}

TEST_CASE("segment: offsets that do not fit are refused") {
  const Tensor x = instances();
  CHECK_THROWS_WITH_AS(
      segment_sum(x, tensor<std::int64_t>({0, 2, 4})),
      "[segment_sum] offsets go from 0 to 4; expected 0 to 5 for instances of shape (5, 2)",
      ValueError);
  CHECK_THROWS_WITH_AS(
      segment_max(x, tensor<std::int64_t>({1, 5})),
      "[segment_max] offsets go from 1 to 5; expected 0 to 5 for instances of shape (5, 2)",
      ValueError);
  CHECK_THROWS_WITH_AS(segment_softmax(x, tensor<std::int64_t>({0, 4, 3, 5})),
                       "[segment_softmax] offsets fall from 4 to 3 at position 2", ValueError);
  CHECK_THROWS_WITH_AS(segment_mean(x, tensor<std::int32_t>({0, 5})),
                       "[segment_mean] offsets are int32 (2,); expected int64", DTypeError);
  CHECK_THROWS_WITH_AS(
      segment_broadcast(x, offsets(), x),
      "[segment_broadcast] input 0 has shape (5, 2) but offsets (4,) stand for 3 bags", ShapeError);
}

TEST_CASE("segment: the same bits for any number of threads") {
  std::vector<std::int64_t> ends = {0, 0, 70000, 70001};
  while (ends.back() < 100000) ends.push_back(std::min<std::int64_t>(100000, ends.back() + 997));
  const Tensor o = tensor<std::int64_t>(ends, {static_cast<Dim>(ends.size())});
  for (const Shape& shape : {Shape{100000}, {100000, 1}, {100000, 3}}) {
    const Tensor x = test::noisy(shape);
    test::check_same_bits_for_any_thread_count([&] { return segment_sum(x, o); });
    test::check_same_bits_for_any_thread_count([&] { return segment_max(x, o); });
    test::check_same_bits_for_any_thread_count([&] { return segment_softmax(x, o); });
    test::check_same_bits_for_any_thread_count(
        [&] { return segment_broadcast(segment_mean(x, o), o, x); });
  }
}
