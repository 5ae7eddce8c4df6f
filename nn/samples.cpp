// Batches of samples: slices where the order allows it, else gathered rows.
#include "nn/samples.h"

#include "backends/kernel_table.h"
#include "tensor/ops.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

constexpr std::int64_t kLargeBatch = 1024;
constexpr std::size_t kLargeBatchBytes = std::size_t{4} << 20;

std::size_t row_bytes(const Tensor& x) {
  return static_cast<std::size_t>(x.shape().product(1, x.rank())) * size_of(x.dtype());
}

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
    : samples_(std::move(samples)), batch_size_(batch_size), buffers_(samples_.inputs.size() + 2) {
  if (batch_size < 1)
    throw ValueError(fmt::format("[batches] batch_size {}; expected 1 or more", batch_size));
}

Batches Batches::enlarged() const {
  std::size_t sample_bytes = 1;
  for (const Tensor& x : samples_.inputs) sample_bytes += row_bytes(x);
  const auto rows = static_cast<std::int64_t>(kLargeBatchBytes / sample_bytes);
  return {samples_, std::max(batch_size_, std::min(rows, kLargeBatch))};
}

Tensor Batches::gathered(const Tensor& x, Rows rows, Tensor& buffer) const {
  Spec spec = x.spec();
  if (!buffer.defined() || buffer.storage().use_count() > 1) {
    spec.shape[0] = std::min(batch_size_, samples_.count());
    buffer = Tensor::empty(spec, x.device());
  }
  spec.shape[0] = rows.count;
  const Tensor batch = Tensor::alias(buffer, spec, 0);
  static const Attrs axis = AxisAttrs{0};
  const View views[] = {
      {x.raw_data(), x.shape(), x.dtype(), x.numel()},
      {order_.raw_data() + static_cast<std::size_t>(rows.first) * sizeof(std::int64_t),
       {rows.count},
       DType::int64,
       rows.count},
      {batch.raw_data(), spec.shape, spec.dtype, spec.shape.numel()}};
  const std::span<const View> all(views);
  find_kernel(Op::gather,
              x.device())({.inputs = all.first(2), .outputs = all.subspan(2), .attrs = axis});
  return batch;
}

Tensor Batches::take(const Tensor& x, Rows rows, std::size_t number) {
  if (!x.defined()) return x;
  if (order_.defined() && batch_size_ > 1) return gathered(x, rows, buffers_[number]);
  // A traced tensor has no memory.
  if (!x.has_storage()) return slice(x, {.start = rows.first, .stop = rows.first + rows.count});
  Spec spec = x.spec();
  spec.shape[0] = rows.count;
  return Tensor::alias(x, spec, static_cast<std::size_t>(rows.first) * row_bytes(x));
}

const Samples& Batches::load(std::int64_t index) {
  Rows rows{.first = index * batch_size_, .count = samples_.count() - index * batch_size_};
  rows.count = std::min(rows.count, batch_size_);
  if (order_.defined() && batch_size_ == 1)
    rows.first = order_.data<std::int64_t>()[static_cast<std::size_t>(index)];
  const std::size_t inputs = samples_.inputs.size();
  batch_.inputs.clear();
  batch_.labels = {};
  batch_.weights = {};
  for (std::size_t i = 0; i < inputs; ++i)
    batch_.inputs.push_back(take(samples_.inputs[i], rows, i));
  batch_.labels = take(samples_.labels, rows, inputs);
  batch_.weights = take(samples_.weights, rows, inputs + 1);
  return batch_;
}

}  // namespace milgrad::nn
