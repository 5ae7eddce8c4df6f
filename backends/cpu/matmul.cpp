// Kernels of the matrix products.
#include "backends/cpu/broadcast.h"
#include "backends/cpu/gemm.h"
#include "backends/cpu/thread_pool.h"
#include "backends/kernel_table.h"

namespace milgrad::cpu {
namespace {

/// Multiply-adds that take as long as one element of an elementwise operation.
constexpr std::int64_t kMultiplyAddsPerElement = 16;

Shape batch_of(const Shape& shape) {
  return Shape(std::span<const Dim>(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
}

template <class T>
void multiply(const Call& call, const GemmSizes& sizes, const Shape& batch) {
  const T *a = call.in(0).as<T>(), *b = call.in(1).as<T>();
  T *c = call.out().as<T>(), *scratch = reinterpret_cast<T*>(call.workspace);
  const BroadcastIndex a_index(batch_of(call.in(0).shape), batch);
  const BroadcastIndex b_index(batch_of(call.in(1).shape), batch);
  const auto multiply_range = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      gemm(sizes, a + a_index(i) * sizes.m * sizes.k, b + b_index(i) * sizes.k * sizes.n,
           c + i * sizes.m * sizes.n, scratch);
  };
  // A large product spreads itself over the threads; small ones are shared out whole.
  if (gemm_tiles(sizes).count > 1) return multiply_range(0, batch.numel());
  const std::int64_t weight = 1 + sizes.m * sizes.n * sizes.k / kMultiplyAddsPerElement;
  parallel_ranges(batch.numel(), weight, multiply_range);
}

}  // namespace

void matmul(const Call& call) {
  const auto [ta, tb] = call.get<MatmulAttrs>();
  const Shape &a = call.in(0).shape, &out = call.out().shape;
  GemmSizes sizes{.m = out[out.rank() - 2],
                  .n = out.back(),
                  .k = a[a.rank() - (ta ? 2 : 1)],
                  .transpose_a = ta,
                  .transpose_b = tb};
  Shape batch = batch_of(out);
  if (call.in(1).shape.rank() == 2 && !ta) {
    // One matrix for the whole batch: the rows of all its members are one product.
    sizes.m *= batch.numel();
    batch = {};
    visit_floating(call.out().dtype, [&]<class T>() {
      gemm(sizes, call.in(0).as<T>(), call.in(1).as<T>(), call.out().as<T>(),
           reinterpret_cast<T*>(call.workspace));
    });
    return;
  }
  visit_floating(call.out().dtype, [&]<class T>() { multiply<T>(call, sizes, batch); });
}

void linear(const Call& call) {
  const Shape& weight = call.in(1).shape;
  const std::int64_t n = weight[1];
  const GemmSizes sizes{.m = n == 0 ? 0 : call.out().numel / n, .n = n, .k = weight[0]};
  visit_floating(call.out().dtype, [&]<class T>() {
    T* out = call.out().as<T>();
    gemm(sizes, call.in(0).as<T>(), call.in(1).as<T>(), out, reinterpret_cast<T*>(call.workspace));
    if (call.inputs.size() < 3) return;
    const T* bias = call.in(2).as<T>();
    parallel_ranges(sizes.m, n, [=](std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first; row < last; ++row)
        for (std::int64_t j = 0; j < n; ++j) out[row * n + j] += bias[j];
    });
  });
}

}  // namespace milgrad::cpu
