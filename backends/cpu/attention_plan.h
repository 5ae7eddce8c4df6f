// How attention pooling cuts its instances, and the scratch memory of its two kernels.
#pragma once

#include "tensor/attrs.h"
#include "tensor/tensor.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace milgrad::cpu {

/// Sizes of one call, from the inputs that both operations begin with: instances [total, features],
/// V [features, hidden].
struct AttentionSizes {
  std::int64_t instances = 0;
  std::int64_t features = 0;
  std::int64_t hidden = 0;
  std::int64_t columns = 0;  // of [V | U]: hidden, or twice that with a gate

  bool keeps_gates = false;

  AttentionSizes(const Shape& instances, const Shape& value, const AttentionPoolAttrs& attrs,
                 std::size_t element);

  /// The instances are cut into parts, which threads share out; each sums the gradients of the
  /// weights over its own rows, chunk by chunk.
  std::int64_t parts() const;
  std::int64_t part_begin(std::int64_t part) const { return instances * part / parts(); }
  /// Rows of the longest chunk.
  std::int64_t chunk_rows() const;
  /// Sums over the rows of one part: of the gradients of w, of the biases of V and U, of that of w.
  std::int64_t sums() const { return hidden + columns + 1; }
};

/// Byte offsets of what the kernels keep in their scratch memory.
struct AttentionScratch {
  std::size_t sums = 0;       // double [parts, sums()]
  std::size_t sum_block = 0;  // [parts, sums()]: of a few rows, before they join `sums`
  std::size_t weights = 0;    // [V | U] side by side; without a gate V is read where it is
  std::size_t scores = 0;     // gradient of each instance's score
  std::size_t gates = 0;      // [parts, chunk_rows, columns]
  std::size_t inputs = 0;     // [parts, chunk_rows, features]: gradient behind a relu
  std::size_t partial = 0;    // [parts, features, columns]: gradient of [V | U]
  std::size_t bytes = 0;
};
AttentionScratch attention_scratch(const AttentionSizes& sizes, const AttentionPoolAttrs& attrs,
                                   std::size_t element);
AttentionScratch attention_gradient_scratch(const AttentionSizes& sizes,
                                            const AttentionPoolAttrs& attrs, std::size_t element);

}  // namespace milgrad::cpu
