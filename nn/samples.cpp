// Batches of samples: slices where the order allows it, else gathered rows.
#include "nn/samples.h"

#include "tensor/ops.h"

#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

void expect_count(const std::string& what, const std::string& name, const Tensor& x,
                  std::int64_t count) {
  if (x.rank() > 0 && x.size(0) == count) return;
  throw ValueError(fmt::format("[{}] {} {} for inputs of {} samples; expected one row per sample",
                               what, name, x.shape().to_string(), count));
}

}  // namespace

void check_samples(const std::string& what, const Samples& samples) {
  if (samples.inputs.empty()) throw ValueError(fmt::format("[{}] got no inputs", what));
  for (const Tensor& x : samples.inputs) {
    if (!x.defined() || x.rank() == 0)
      throw ValueError(
          fmt::format("[{}] an input without samples; expected them on the leading axis", what));
  }
  const std::int64_t count = samples.count();
  if (count == 0) throw ValueError(fmt::format("[{}] got inputs of 0 samples", what));
  for (const Tensor& x : samples.inputs) expect_count(what, "another input is", x, count);
  if (samples.labels.defined()) expect_count(what, "labels", samples.labels, count);
  if (samples.weights.defined()) expect_count(what, "sample_weight", samples.weights, count);
}

Batches::Batches(Samples samples, std::int64_t batch_size)
    : samples_(std::move(samples)), batch_size_(batch_size) {
  if (batch_size < 1)
    throw ValueError(fmt::format("[batches] batch_size {}; expected 1 or more", batch_size));
}

Samples Batches::operator[](std::int64_t index) const {
  SliceAttrs range{.axis = 0, .start = index * batch_size_, .stop = samples_.count()};
  if (range.stop - range.start > batch_size_) range.stop = range.start + batch_size_;
  Tensor rows;
  if (order_.defined() && batch_size_ == 1) {
    range.start = order_.data<std::int64_t>()[static_cast<std::size_t>(index)];
    range.stop = range.start + 1;
  } else if (order_.defined()) {
    rows = slice(order_, range);
  }
  const auto take = [&](const Tensor& x) {
    if (!x.defined()) return x;
    return rows.defined() ? gather(x, rows) : slice(x, range);
  };
  Samples batch{{}, take(samples_.labels), take(samples_.weights)};
  batch.inputs.reserve(samples_.inputs.size());
  for (const Tensor& x : samples_.inputs) batch.inputs.push_back(take(x));
  return batch;
}

}  // namespace milgrad::nn
