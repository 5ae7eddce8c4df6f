// The names of layers, models, optimizers, losses and metrics: Keras's snake_case rule and its
// process-wide counters.
#pragma once

#include "tensor/error.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad::nn {

/// "MILAttentionLayer" -> "mil_attention_layer", "Conv2D" -> "conv2d", "ReLU" -> "re_lu",
/// "F1Score" -> "f1_score": the rule of keras.src.utils.naming.to_snake_case.
std::string snake_case(std::string_view class_name);

/// The automatic name of the next object of that class: the snake_case name the first time, then
/// with "_1", "_2", ... Thread-safe.
std::string unique_name(std::string_view class_name);

/// Starts all automatic names again.
void clear_session();

/// The candidate that differs from `word` by the fewest insertions, deletions, replacements and
/// swaps of neighbours; "" when none is close enough to be meant.
std::string nearest_name(std::string_view word, std::span<const std::string> candidates);

/// The error for a name that none of the candidates is: "[activation] there is no "rleu"; did you
/// mean "relu"?", with all candidates as its hint.
ValueError unknown_name(std::string_view what, std::string_view name,
                        const std::vector<std::string>& candidates);

}  // namespace milgrad::nn
