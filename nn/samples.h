// Samples: what a model is trained on or applied to, and how it is cut into batches.
#pragma once

#include "tensor/tensor.h"

#include <cstdint>
#include <optional>
#include <string>

namespace milgrad::nn {

/// Tensors whose leading axis are the samples. Labels and weights may be undefined.
struct Samples {
  Tensors inputs;
  Tensor labels;
  Tensor weights;

  std::int64_t count() const { return inputs[0].size(0); }
};

/// Throws ValueError, beginning with "[what]", unless there is a sample and all leading sizes
/// agree.
void check_samples(const std::string& what, const Samples& samples);

/// Samples cut into batches of one size; the last one may be smaller.
class Batches {
 public:
  /// Throws ValueError unless batch_size is positive.
  Batches(Samples samples, std::int64_t batch_size);

  /// Goes through the samples in this order (int64 [n]); undefined: as they come.
  void set_order(Tensor order) { order_ = std::move(order); }
  std::int64_t size() const { return (samples_.count() - 1) / batch_size_ + 1; }
  const Samples& samples() const { return samples_; }
  /// The same samples as they come, in batches as large as pays: as many samples as fit into a few
  /// megabytes, at least as many as now.
  Batches enlarged() const;

  /// Batch number `index`, valid until the next call. Shares memory with the samples where it can:
  /// as they come, or for a batch of one. Else rows are gathered into memory that is kept from
  /// batch to batch, unless somebody still holds a tensor over it.
  const Samples& load(std::int64_t index);

 private:
  struct Rows {
    std::int64_t first;
    std::int64_t count;
  };
  Tensor take(const Tensor& x, Rows rows, std::size_t number);
  Tensor gathered(const Tensor& x, Rows rows, Tensor& buffer) const;

  Samples samples_;
  std::int64_t batch_size_;
  Tensor order_;
  Samples batch_;
  Tensors buffers_;  // inputs, labels, weights
};

}  // namespace milgrad::nn
