// Kernels of the matrix products and dense layers.
#include "backends/cpu/broadcast.h"
#include "backends/cpu/dense.h"
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

/// out = activation(inputs[0] inputs[1] + bias) over all rows of inputs[0].
template <class T>
void multiply_by_weights(const Call& call, const T* bias, Activation activation) {
  const Shape& weights = call.in(1).shape;
  if (call.out().numel == 0) return;
  DenseProducts<T> d{.x = call.in(0).as<T>(),
                     .m = call.out().numel / weights[1],
                     .k = weights[0],
                     .scratch = reinterpret_cast<T*>(call.workspace),
                     .count = 1,
                     .products = {}};
  d.products[0] = {.weights = call.in(1).as<T>(),
                   .bias = bias,
                   .y = call.out().as<T>(),
                   .n = weights[1],
                   .activation = activation};
  dense_products(d);
}

void multiply_by_weights(const Call& call, Activation activation) {
  visit_floating(call.out().dtype, [&]<class T>() {
    const T* bias = call.inputs.size() > 2 ? call.in(2).as<T>() : nullptr;
    multiply_by_weights<T>(call, bias, activation);
  });
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
      if (!tb) return multiply_by_weights<T>(call, nullptr, Activation::none);
      gemm(sizes, call.in(0).as<T>(), call.in(1).as<T>(), call.out().as<T>(),
           reinterpret_cast<T*>(call.workspace));
    });
    return;
  }
  visit_floating(call.out().dtype, [&]<class T>() { multiply<T>(call, sizes, batch); });
}

void linear(const Call& call) { multiply_by_weights(call, Activation::none); }

void dense(const Call& call) { multiply_by_weights(call, call.get<DenseAttrs>().activation); }

void multi_dense(const Call& call) {
  const auto& members = call.get<MultiDenseAttrs>().members;
  visit_floating(call.in(0).dtype, [&]<class T>() {
    const View& x = call.in(0);
    if (x.numel == 0 && call.out().numel == 0) return;
    DenseProducts<T> d{.x = x.as<T>(),
                       .m = x.shape.product(0, x.shape.rank() - 1),
                       .k = x.shape.back(),
                       .scratch = reinterpret_cast<T*>(call.workspace),
                       .count = 0,
                       .products = {}};
    int input = 1;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const View& weights = call.in(input++);
      auto& product = d.products[static_cast<std::size_t>(d.count++)];
      product = {.weights = weights.as<T>(),
                 .bias = members[i].bias ? call.in(input++).as<T>() : nullptr,
                 .y = call.outputs[i].as<T>(),
                 .n = weights.shape[1],
                 .activation = members[i].activation};
      if (d.count < DenseProducts<T>::kMost && i + 1 < members.size()) continue;
      dense_products(d);
      for (int j = 0; j < d.count; ++j)
        d.scratch += dense_scratch(d.m, d.k, d.products[static_cast<std::size_t>(j)].n);
      d.count = 0;
    }
  });
}

}  // namespace milgrad::cpu
