// Layer: the base of all layers, the library's and your own.
#pragma once

#include "nn/config.h"
#include "nn/one_or_many.h"
#include "nn/symbolic.h"
#include "nn/weight.h"
#include "tensor/tensor.h"

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace milgrad::nn {

struct LayerOptions {
  /// Empty: unique_name(class_name()). No "/" (ValueError).
  std::string name = {};
  /// floatx() unless given; float32 or float64.
  std::optional<DType> dtype = {};
  bool trainable = true;
};

/// A function with weights. A layer of your own derives from it, says its class_name(), makes its
/// weights in build() and computes in call(), with tensor operations only: shapes of results follow
/// from them. It is made by make_layer<YourLayer>(arguments...) and called like a function.
class Layer : public std::enable_shared_from_this<Layer> {
 public:
  virtual ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  /// "MILAttentionLayer": decides the automatic name and the place in weight files.
  virtual std::string class_name() const = 0;

  const std::string& name() const { return name_; }
  DType dtype() const { return dtype_; }
  bool trainable() const { return trainable_; }
  /// A frozen layer's weights get neither gradients nor penalties; counts from the next compile(),
  /// and fit() and evaluate() say so where it was called after the last one.
  void set_trainable(bool trainable) { trainable_ = trainable; }
  bool built() const { return built_; }

  /// Whether the layer maps one input to one output along the last axis, whatever axes stand in
  /// front: then models may run several calls of it as one, on stacked inputs.
  virtual bool maps_last_axis() const { return false; }
  /// Whether, in Mode::infer, what a sample becomes does not depend on the other samples of its
  /// batch: then evaluate() and predict() may take larger batches than asked for.
  virtual bool keeps_samples_apart() const { return false; }

  /// Computes. The first call builds the weights. Inputs are cast to the layer's dtype. Errors of
  /// build() and call() name the layer and the shapes that came.
  Tensor operator()(const Tensor& input, Mode mode = Mode::infer);
  OneOrMany<Tensor> operator()(const OneOrMany<Tensor>& inputs, Mode mode = Mode::infer);
  Tensors run(const Tensors& inputs, Mode mode);

  /// Adds a call to the graph of which models are made. A given mode holds for this call whatever
  /// mode the model runs in, such as Mode::train to keep a dropout active.
  SymbolicTensor operator()(const SymbolicTensor& input, std::optional<Mode> mode = {});
  OneOrMany<SymbolicTensor> operator()(const OneOrMany<SymbolicTensor>& inputs,
                                       std::optional<Mode> mode = {});

  /// Weights in the order they were made, those made trainable first.
  std::vector<Weight> weights() const;
  std::vector<Weight> trainable_weights() const;
  std::vector<Weight> non_trainable_weights() const;
  std::int64_t count_params() const;

  /// Inputs and outputs of the first call on symbolic tensors. Throws ValueError if there was none
  /// or nothing refers to it any more.
  OneOrMany<SymbolicTensor> input() const;
  OneOrMany<SymbolicTensor> output() const;
  /// The calls on symbolic tensors that something still refers to, in order.
  std::vector<std::shared_ptr<const LayerCall>> calls() const;

  /// Called by make_layer once the object is complete.
  void take_name();

 protected:
  explicit Layer(LayerOptions options = {});

  /// Makes the weights; the shapes are those of the first call's inputs.
  virtual void build(const std::vector<Shape>& inputs);
  virtual Tensors call(const Tensors& inputs, Mode mode) = 0;
  /// Throws ShapeError or DTypeError if later inputs do not fit the weights; messages begin with
  /// "[name]".
  virtual void check_inputs(const std::vector<Shape>& inputs) const;

  /// Throws ValueError, naming the layer, unless there is exactly one input.
  void expect_one_input(const std::vector<Shape>& inputs) const;

  /// A new variable filled by its initializer. Only inside of build(), else ValueError, as for a
  /// name used twice in the layer.
  Variable add_weight(const WeightOptions& options);

  /// Remembers a call with known output specs; returns its outputs.
  SymbolicTensors add_call(LayerCall call);

 private:
  void ensure_built(const Tensors& inputs);
  Tensors call_with_context(const Tensors& inputs, Mode mode);
  SymbolicTensors record_call(const SymbolicTensors& inputs, std::optional<Mode> mode);
  std::shared_ptr<const LayerCall> first_call() const;

  std::string name_;
  DType dtype_;
  bool trainable_;
  bool building_ = false;
  bool built_ = false;
  std::vector<Weight> weights_;
  // A call keeps its layer alive; the layer only remembers its calls.
  std::vector<std::weak_ptr<const LayerCall>> calls_;
};

/// Shared ownership of a layer, called like the layer itself.
template <class L>
class Handle {
 public:
  explicit Handle(std::shared_ptr<L> layer) : layer_(std::move(layer)) {}
  template <class Other>
  requires std::derived_from<Other, L> Handle(const Handle<Other>& other)
      : layer_(other.shared()) {}  // NOLINT: implicit by intent

  L* operator->() const { return layer_.get(); }
  L& operator*() const { return *layer_; }
  const std::shared_ptr<L>& shared() const { return layer_; }

  Tensor operator()(const Tensor& input, Mode mode = Mode::infer) const {
    return base()(input, mode);
  }
  OneOrMany<Tensor> operator()(const OneOrMany<Tensor>& inputs, Mode mode = Mode::infer) const {
    return base()(inputs, mode);
  }
  SymbolicTensor operator()(const SymbolicTensor& input, std::optional<Mode> mode = {}) const {
    return base()(input, mode);
  }
  OneOrMany<SymbolicTensor> operator()(const OneOrMany<SymbolicTensor>& inputs,
                                       std::optional<Mode> mode = {}) const {
    return base()(inputs, mode);
  }

 private:
  Layer& base() const { return *layer_; }
  std::shared_ptr<L> layer_;
};

/// Makes a layer of your own: make_layer<MILAttentionLayer>(64, ...).
template <class L, class... Arguments>
Handle<L> make_layer(Arguments&&... arguments) {
  auto layer = std::make_shared<L>(std::forward<Arguments>(arguments)...);
  layer->take_name();
  return Handle<L>(std::move(layer));
}

}  // namespace milgrad::nn
