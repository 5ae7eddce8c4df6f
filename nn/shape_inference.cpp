// A recorder that keeps nothing but shapes.
#include "nn/shape_inference.h"

#include "tensor/apply.h"

#include <atomic>
#include <utility>

namespace milgrad::nn {
namespace {

class ShapeRecorder final : public Recorder {
 public:
  ShapeRecorder() : id_(next_id()) {}

  std::uint64_t id() const override { return id_; }
  Tensors record(Op, const Attrs&, std::span<const Tensor>,
                 std::span<const Spec> outputs) override {
    Tensors results;
    for (const Spec& spec : outputs) results.push_back(abstract(spec));
    return results;
  }
  std::string describe(std::int64_t) const override {
    return "only its shape is being inferred, in layer " + current_scope();
  }

  Tensor abstract(const Spec& spec) { return Tensor::abstract(spec).with_trace({id_, count_++}); }

 private:
  // Counted from the far end, so that no trace of another kind has the same number.
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> next{~std::uint64_t{0}};
    return next--;
  }

  std::uint64_t id_;
  std::int64_t count_ = 0;
};

}  // namespace

std::vector<Spec> infer_specs(std::span<const Spec> inputs,
                              const std::function<Tensors(const Tensors&)>& function) {
  ShapeRecorder recorder;
  Tensors arguments;
  for (const Spec& spec : inputs) arguments.push_back(recorder.abstract(spec));
  const RecorderScope recording(&recorder);
  const NoGrad untracked;
  return specs_of(function(arguments));
}

}  // namespace milgrad::nn
