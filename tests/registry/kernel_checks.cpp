// Guard bytes and poison.
#include "tests/registry/kernel_checks.h"

#include "backends/kernel_table.h"
#include "tensor/apply.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace milgrad::test {
namespace {

constexpr std::size_t kGuard = 64;
constexpr int kGuardByte = 0xA5;

/// A block with guard bytes before and behind its payload.
class GuardedBlock {
 public:
  GuardedBlock(std::size_t bytes, int poison)
      : storage_(bytes + 2 * kGuard, Device::cpu()), bytes_(bytes) {
    std::memset(storage_.data(), kGuardByte, bytes + 2 * kGuard);
    std::memset(payload(), poison, bytes);
  }
  std::byte* payload() const { return storage_.data() + kGuard; }
  bool intact() const {
    const auto guard = [](std::byte b) { return b == std::byte{kGuardByte}; };
    return std::all_of(storage_.data(), payload(), guard) &&
           std::all_of(payload() + bytes_, payload() + bytes_ + kGuard, guard);
  }

 private:
  Storage storage_;
  std::size_t bytes_;
};

std::size_t bytes_of(const Spec& spec) {
  return static_cast<std::size_t>(spec.shape.numel()) * size_of(spec.dtype);
}

KernelRun run_once(Op op, const Attrs& attrs, const Tensors& inputs, std::span<const Spec> specs,
                   int poison) {
  const OpDef& def = definition(op);
  std::vector<std::unique_ptr<GuardedBlock>> blocks;
  std::vector<View> in, out;
  for (const Tensor& x : inputs) {
    blocks.push_back(std::make_unique<GuardedBlock>(bytes_of(x.spec()), 0));
    std::memcpy(blocks.back()->payload(), x.raw_data(), bytes_of(x.spec()));
    in.push_back({blocks.back()->payload(), x.shape(), x.dtype(), x.numel()});
  }
  for (const Spec& spec : specs) {
    blocks.push_back(std::make_unique<GuardedBlock>(bytes_of(spec), poison));
    out.push_back({blocks.back()->payload(), spec.shape, spec.dtype, spec.shape.numel()});
  }
  const std::size_t scratch = def.workspace == nullptr ? 0 : def.workspace(specs_of(inputs), attrs);
  const GuardedBlock workspace(scratch, poison);
  find_kernel(op, Device::cpu())(
      {.inputs = in, .outputs = out, .attrs = attrs, .workspace = workspace.payload()});
  KernelRun run;
  if (!workspace.intact()) run.failures.push_back("the kernel wrote outside of its workspace");
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (!blocks[i]->intact())
      run.failures.push_back(fmt::format("the kernel wrote outside of {} {}",
                                         i < in.size() ? "input" : "output",
                                         i < in.size() ? i : i - in.size()));
  const auto copy_out = [](const View& view) {
    Tensor x = Tensor::empty({view.shape, view.dtype});
    std::memcpy(x.raw_data(), view.data, bytes_of(x.spec()));
    return x;
  };
  for (const View& view : out) run.outputs.push_back(copy_out(view));
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool mutated = (def.mutates >> i) & 1u;
    if (mutated)
      run.mutated.push_back(copy_out(in[i]));
    else if (std::memcmp(in[i].data, inputs[i].raw_data(), bytes_of(inputs[i].spec())) != 0)
      run.failures.push_back(fmt::format("the kernel changed input {}", i));
  }
  return run;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return std::memcmp(a.raw_data(), b.raw_data(), bytes_of(a.spec())) == 0;
}

}  // namespace

KernelRun run_kernel(Op op, const Attrs& attrs, const Tensors& inputs,
                     std::span<const Spec> outputs) {
  KernelRun first = run_once(op, attrs, inputs, outputs, 0xFF);
  const KernelRun second = run_once(op, attrs, inputs, outputs, 0x5A);
  for (std::size_t i = 0; i < first.outputs.size(); ++i)
    if (!same_bits(first.outputs[i], second.outputs[i]))
      first.failures.push_back(
          fmt::format("the kernel did not write all of output {}, or it is not deterministic", i));
  return first;
}

}  // namespace milgrad::test
