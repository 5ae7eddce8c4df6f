// Kernels of the matrix products.
#include "backends/cpu/broadcast.h"
#include "backends/cpu/gemm.h"
#include "backends/kernel_table.h"

namespace milgrad::cpu {
namespace {

Shape batch_of(const Shape& shape) {
  return Shape(std::span<const Dim>(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
}

template <class T>
void multiply(const Call& call, const GemmSizes& sizes, const Shape& batch) {
  const T *a = call.in(0).as<T>(), *b = call.in(1).as<T>();
  T *c = call.out().as<T>(), *scratch = reinterpret_cast<T*>(call.workspace);
  const BroadcastIndex a_index(batch_of(call.in(0).shape), batch);
  const BroadcastIndex b_index(batch_of(call.in(1).shape), batch);
  for (std::int64_t i = 0; i < batch.numel(); ++i)
    gemm(sizes, a + a_index(i) * sizes.m * sizes.k, b + b_index(i) * sizes.k * sizes.n,
         c + i * sizes.m * sizes.n, scratch);
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
    for (std::int64_t row = 0; row < sizes.m; ++row)
      for (std::int64_t j = 0; j < n; ++j) out[row * n + j] += bias[j];
  });
}

}  // namespace milgrad::cpu
