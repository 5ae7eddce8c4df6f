// What a trained model, or the mean of several, makes of bags.
#pragma once

#include "examples/mil/bags.h"
#include "nn/ensemble.h"

#include <cstdint>
#include <vector>

namespace mil {

/// Bags evaluated at a time; sums are the same for any number up to rounding.
inline constexpr std::int64_t kEvaluationBatch = 64;

/// Loss (penalty included) and accuracy as fractions.
struct Score {
  double loss = 0;
  double accuracy = 0;
};

/// One row per bag.
struct Predictions {
  std::vector<std::vector<double>> probabilities;  ///< of class 0 and 1
  std::vector<std::vector<double>> attention;      ///< one weight per instance
  std::vector<int> classes;                        ///< the more probable one; the first of equals
};

/// The members' mean probabilities and attention weights.
Predictions predict(const milgrad::nn::Ensemble& members, const Bags& bags);

/// The mean over the members of what each scores alone, as the example reports it.
Score mean_score(const milgrad::nn::Ensemble& members, const Bags& bags);

/// Cross entropy (no penalty) and accuracy of averaged predictions.
Score averaged_score(const Predictions& predictions, const Bags& bags);

/// How attention treats the instances that make a bag positive.
struct AttentionReport {
  /// Of the positive bags predicted positive, how many give a positive instance the highest weight;
  /// NaN if there is none.
  double key_hit_rate = 0;
  double mean_largest_positive = 0;  ///< mean over positive bags of the largest weight
  double mean_largest_negative = 0;
  double largest_sum_error = 0;  ///< how far the weights of a bag are from summing to 1
};
AttentionReport describe_attention(const Predictions& predictions, const Bags& bags);

/// The 95 % interval of a proportion (Wilson 1927, "Probable inference, the law of succession, and
/// statistical inference").
struct Interval {
  double low = 0;
  double high = 0;
};
Interval wilson_interval(std::int64_t successes, std::int64_t trials);

}  // namespace mil
