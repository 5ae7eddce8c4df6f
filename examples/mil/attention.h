// MILAttentionLayer: attention weights over the instances of a bag (Ilse, Tomczak, Welling 2018,
// "Attention-based Deep Multiple Instance Learning", arXiv:1802.04712).
#pragma once

#include "nn/layer.h"

#include <cstdint>

namespace mil {

struct MILAttentionOptions {
  milgrad::nn::Initializer kernel_initializer = "glorot_uniform";
  milgrad::nn::Regularizer kernel_regularizer = {};
  /// Equation 9 of the paper (gated attention) instead of equation 8.
  bool use_gated = false;
  std::string name = {};
};

/// From a list of instances, each (N, features), to a list of as many weights, each (N, 1), which
/// sum to 1 over the instances of a bag:
///   score_i = w^T (tanh(V h_i) * sigmoid(U h_i)),  alpha = softmax over i of score_i;
/// without the gate the sigmoid is left out. Weights v and u (features, dim), w (dim, 1), no
/// biases. Unlike in Keras's example v, w and u start out different: each weight draws its own
/// numbers.
class MILAttentionLayer final : public milgrad::nn::Layer {
 public:
  /// Throws ValueError unless weight_params_dim > 0.
  MILAttentionLayer(std::int64_t weight_params_dim, const MILAttentionOptions& options);
  std::string class_name() const override { return "MILAttentionLayer"; }
  bool keeps_samples_apart() const override { return true; }

 protected:
  void build(const std::vector<milgrad::Shape>& instances) override;
  milgrad::Tensors call(const milgrad::Tensors& instances, milgrad::nn::Mode mode) override;
  void check_inputs(const std::vector<milgrad::Shape>& instances) const override;

 private:
  std::int64_t weight_params_dim_;
  MILAttentionOptions options_;
  milgrad::Variable v_, w_, u_;
};

milgrad::nn::Handle<MILAttentionLayer> MILAttention(std::int64_t weight_params_dim,
                                                    const MILAttentionOptions& options = {});

}  // namespace mil
