// Counts allocations while programs run. An executable of its own, since it replaces the global
// operator new.
#include "autograd/compile.h"
#include "backends/allocator.h"
#include "nn/callbacks.h"
#include "tensor/operators.h"
#include "tests/nn_support.h"

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <doctest/doctest.h>

namespace {

std::atomic<std::int64_t> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, whole == 0 ? alignment : whole)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace milgrad {
namespace {

/// Allocations of either kind while f runs: of C++, and of tensor memory.
template <class F>
std::int64_t allocations_of(const F& f) {
  const std::size_t held = memory_statistics(Device::cpu()).in_use;
  const std::int64_t before = allocations;
  f();
  const std::int64_t after = allocations;
  CHECK(memory_statistics(Device::cpu()).in_use == held);
  return after - before;
}

TEST_CASE("allocations: the counter counts") {
  CHECK(allocations_of([] { CHECK(ones({2}).numel() == 2); }) > 0);
}

TEST_CASE("allocations: a replay for shapes that came before allocates nothing") {
  const Variable weights(test::ramp({64, 32}, 0.001), {.name = "weights"});
  CompiledFunction compiled = compile([&](const Tensors& t) {
    const Tensor h = softmax(tanh(matmul(t[0], weights)));
    weights.assign(weights.value() - matmul(t[0], h, {.transpose_a = true}) * 0.01);
    return Tensors{h, sum(h, {0}), weights};
  });
  for (Dim rows : {3, 4, 5, 300, 7, 5}) compiled.replay(std::vector<Tensor>{ones({rows, 64})});
  const Tensors few{ones({5, 64})}, many{ones({300, 64})};
  CHECK(allocations_of([&] {
          for (int i = 0; i < 100; ++i) {
            compiled.replay(few);
            compiled.replay(many);
          }
        }) == 0);
}

/// Allocations in each step of an epoch from the fourth step on, without those of the callbacks.
std::vector<std::int64_t> allocations_of_steps(nn::Model& model, const nn::OneOrMany<Tensor>& x,
                                               const Tensor& y, std::int64_t batch_size) {
  std::vector<std::int64_t> counts;
  counts.reserve(1000);
  std::int64_t before = 0;
  const auto count = nn::LambdaCallback(
      {.on_train_batch_end = [&](nn::Run&, std::int64_t batch, const nn::BatchLogs&) {
        if (batch >= 3) counts.push_back(allocations - before);
        before = allocations;
      }});
  model.fit(x, y, {.batch_size = batch_size, .callbacks = {count}, .verbose = 0});
  return counts;
}

TEST_CASE("allocations: a step of fit() makes a handle per tensor of its batch and nothing else") {
  nn::Model model = test::example_model(3);
  model.compile({.loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
  const Tensor images = zeros({40, 28, 28}, DType::uint8);
  const Tensor labels = zeros({40}, DType::int64);
  for (std::int64_t batch_size : {1, 4}) {
    const auto counts = allocations_of_steps(model, {images, images, images}, labels, batch_size);
    REQUIRE(counts.size() >= 7);
    for (std::int64_t count : counts) CHECK(count <= 4);
  }
}

}  // namespace
}  // namespace milgrad
