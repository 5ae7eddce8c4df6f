// Sizes of parts and chunks.
#include "backends/cpu/attention_plan.h"

#include <algorithm>

namespace milgrad::cpu {
namespace {

// A part is what a thread takes at a time. Products of fewer rows mostly pack their operands, and
// each part has a gradient of the weights to be added up.
constexpr std::int64_t kMaxParts = 8;
constexpr std::int64_t kFewestRows = 256;
constexpr std::int64_t kMostRows = 1280;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Places one array behind the other, each on a cache line of its own.
class Sections {
 public:
  std::size_t add(std::int64_t count, std::size_t element) {
    const std::size_t begin = bytes_;
    bytes_ += (static_cast<std::size_t>(count) * element + 63) / 64 * 64;
    return begin;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

}  // namespace

AttentionSizes::AttentionSizes(const Shape& h, const Shape& value, const AttentionPoolAttrs& attrs,
                               std::size_t element)
    : instances(h[0]),
      features(h[1]),
      hidden(value[1]),
      columns(attrs.gated ? 2 * value[1] : value[1]),
      keeps_gates(attrs.kept_rows(instances, columns, element) == instances) {}

std::int64_t AttentionSizes::parts() const {
  return std::clamp(instances / kFewestRows, std::int64_t{1}, kMaxParts);
}

std::int64_t AttentionSizes::chunk_rows() const {
  return std::clamp(divide_up(instances, parts()), std::int64_t{1}, kMostRows);
}

AttentionScratch attention_scratch(const AttentionSizes& s, const AttentionPoolAttrs& attrs,
                                   std::size_t element) {
  Sections sections;
  AttentionScratch scratch;
  if (attrs.gated) scratch.weights = sections.add(s.features * s.columns, element);
  if (!s.keeps_gates) scratch.gates = sections.add(s.parts() * s.chunk_rows() * s.columns, element);
  scratch.bytes = sections.bytes();
  return scratch;
}

AttentionScratch attention_gradient_scratch(const AttentionSizes& s,
                                            const AttentionPoolAttrs& attrs, std::size_t element) {
  Sections sections;
  AttentionScratch scratch;
  scratch.sums = sections.add(s.parts() * s.sums(), sizeof(double));
  scratch.sum_block = sections.add(s.parts() * s.sums(), element);
  if (attrs.gated) scratch.weights = sections.add(s.features * s.columns, element);
  scratch.scores = sections.add(s.instances, element);
  scratch.gates = sections.add(s.parts() * s.chunk_rows() * s.columns, element);
  if (attrs.through_relu)
    scratch.inputs = sections.add(s.parts() * s.chunk_rows() * s.features, element);
  scratch.partial = sections.add(s.parts() * s.features * s.columns, element);
  scratch.bytes = sections.bytes();
  return scratch;
}

}  // namespace milgrad::cpu
