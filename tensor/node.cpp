// The tape: saved values, recording, and destruction without recursion.
#include "tensor/node.h"

#include "tensor/custom.h"
#include "tensor/error.h"
#include "tensor/mode.h"

#include <atomic>

#include <fmt/format.h>

namespace milgrad {
namespace {

std::uint64_t next_order() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

/// In-place updates of the memory so far, computed or recorded.
std::uint64_t version_of(const Storage& storage) {
  const Recorder* recorder = current_recorder();
  return storage.version() + (recorder == nullptr ? 0 : recorder->overwritten(storage));
}

}  // namespace

SavedTensor::SavedTensor(const Tensor& x, bool keep_value) : parts_(x.parts()) {
  if (!keep_value) parts_.storage = nullptr;
  if (parts_.storage) version_ = version_of(*parts_.storage);
}

Tensor SavedTensor::restore(const Edge& edge, const char* op) const {
  if (parts_.storage && version_of(*parts_.storage) != version_)
    throw GradientError(
        fmt::format(
            "[{}] a value {} that its gradient needs was overwritten after the forward pass", op,
            parts_.spec.to_string()),
        "call grad() before assign() or an optimizer step changes the variable");
  return Tensor::from_parts(parts_, edge);
}

Node::~Node() {
  // A node whose last reference goes here is emptied into this list instead of recursing.
  thread_local std::vector<std::shared_ptr<Node>>* pending = nullptr;
  const auto release = [&](std::vector<std::shared_ptr<Node>>& list) {
    for (Edge& edge : inputs)
      if (edge.node && edge.node.use_count() == 1) list.push_back(std::move(edge.node));
  };
  if (pending != nullptr) {
    release(*pending);
    return;
  }
  std::vector<std::shared_ptr<Node>> list;
  release(list);
  pending = &list;
  while (!list.empty()) {
    const auto node = std::move(list.back());
    list.pop_back();
  }
  pending = nullptr;
}

std::shared_ptr<Node> make_leaf() {
  auto node = std::make_shared<Node>();
  node->order = next_order();
  return node;
}

namespace {

Saves saves_of(Op op, const Attrs& attrs) {
  return op == Op::custom ? std::get<CustomAttrs>(attrs).op->saves : definition(op).saves.value;
}

}  // namespace

void record_on_tape(Op op, const Attrs& attrs, std::span<const Tensor> inputs, Tensors& outputs) {
  const Saves saves = saves_of(op, attrs);
  auto node = make_leaf();
  node->op = op;
  node->attrs = attrs;
  node->inputs.reserve(inputs.size());
  node->saved_inputs.reserve(inputs.size());
  node->saved_outputs.reserve(outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    node->inputs.push_back(inputs[i].edge());
    const bool keep = i >= 64 ? saves.inputs == kSavesAllInputs.inputs : (saves.inputs >> i) & 1u;
    node->saved_inputs.emplace_back(inputs[i], keep);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    node->saved_outputs.emplace_back(outputs[i], i < 64 && ((saves.outputs >> i) & 1u));
    outputs[i].attach({node, static_cast<int>(i)});
  }
}

}  // namespace milgrad
