// Random generators and host-side draws.
#include "tensor/random.h"

#include "tensor/mode.h"
#include "tensor/normal_quantile.h"
#include "tensor/ops.h"

#include <bit>
#include <numeric>

#include <fmt/format.h>

namespace milgrad {
namespace {

/// The number of the draw from which seeds of parts are taken; no generator counts that far.
constexpr std::uint64_t kSeedDraw = std::uint64_t{1} << 62;

Tensor start_of(std::uint64_t seed) {
  return tensor({std::bit_cast<std::int64_t>(seed), std::int64_t{0}});
}

Variable checked_state(Variable state) {
  if (state.dtype() != DType::int64 || !(state.shape() == Shape{2}))
    throw ValueError(
        fmt::format("[random] a state {}; expected int64 (2,)", state.value().spec().to_string()),
        "restore it from RandomGenerator::state()");
  return state;
}

}  // namespace

RandomGenerator::RandomGenerator(std::uint64_t seed)
    : state_(start_of(seed), {.name = "random_state", .trainable = false}) {}
RandomGenerator::RandomGenerator(Variable state) : state_(checked_state(std::move(state))) {}

Tensor RandomGenerator::next_key() const { return milgrad::next_key(state_); }

void RandomGenerator::reseed(std::uint64_t seed) const { state_.assign(start_of(seed)); }

RandomSequence::RandomSequence(const Tensor& key) {
  const auto words = key.data<std::int64_t>();
  if (!(key.shape() == Shape{2}))
    throw ShapeError(
        fmt::format("[random] a key of shape {}; expected (2,)", key.shape().to_string()),
        "take it from RandomGenerator::next_key()");
  key_ = {std::bit_cast<std::uint64_t>(words[0]), std::bit_cast<std::uint64_t>(words[1])};
}

std::uint32_t RandomSequence::next_word() {
  if (used_ == 4) {
    block_ = random_block(key_, block_index_++);
    used_ = 0;
  }
  return block_.words[used_++];
}

std::uint64_t RandomSequence::next_bits() {
  const std::uint64_t high = next_word();
  return (high << 32) | next_word();
}

std::uint64_t RandomSequence::below(std::uint64_t limit) {
  if (limit == 0) throw ValueError("[random] no whole number is below 0", "draw from at least one");
  using Wide = unsigned __int128;
  Wide product = Wide{next_bits()} * limit;
  if (static_cast<std::uint64_t>(product) < limit) {
    const std::uint64_t threshold = -limit % limit;
    while (static_cast<std::uint64_t>(product) < threshold) product = Wide{next_bits()} * limit;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double RandomSequence::unit() { return unit_number(next_bits()); }

double RandomSequence::normal() { return standard_normal(next_bits()); }

std::vector<std::int64_t> random_permutation(RandomSequence& random, std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

std::vector<std::int64_t> random_permutation(const Tensor& key, std::int64_t count) {
  RandomSequence random(key);
  return random_permutation(random, count);
}

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index) {
  const PhiloxBlock block = random_block({seed, kSeedDraw}, index);
  return (std::uint64_t{block.words[0]} << 32) | block.words[1];
}

}  // namespace milgrad
