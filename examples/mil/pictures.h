// The pictures of a run, as files.
#pragma once

#include "examples/mil/bags.h"
#include "examples/mil/console.h"
#include "examples/mil/evaluation.h"

#include <cstdint>
#include <filesystem>

namespace mil {

/// bags_positive.png and bags_negative.png: the first `plot_size` bags of either true class.
/// Prints what the example prints.
void draw_bags(const Bags& bags, std::int64_t plot_size, const std::filesystem::path& folder,
               Console& console);

/// attention_positive.png and attention_negative.png: the first bags of either predicted class,
/// with attention weights.
void draw_attention(const Bags& bags, const Predictions& predictions, std::int64_t plot_size,
                    const std::filesystem::path& folder, Console& console);

}  // namespace mil
