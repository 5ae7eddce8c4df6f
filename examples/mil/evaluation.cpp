// Predictions, scores and what attention looks at.
#include "examples/mil/evaluation.h"

#include "examples/mil/example_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

namespace {

double mean(double sum, std::int64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

std::size_t largest_index(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace

Predictions predict(const nn::Ensemble& members, const Bags& bags) {
  const nn::PredictOptions options{.batch_size = kEvaluationBatch};
  const Tensor p = members.predict(bags.instances, options);
  const nn::OneOrMany<Tensor> alpha =
      members.transform(attention_model).predict(bags.instances, options);
  Predictions result;
  for (std::int64_t bag = 0; bag < bags.count(); ++bag) {
    const auto i = static_cast<std::size_t>(bag);
    result.probabilities.push_back({p.data<float>()[2 * i], p.data<float>()[2 * i + 1]});
    result.attention.emplace_back();
    for (const Tensor& weight : alpha) result.attention.back().push_back(weight.data<float>()[i]);
    result.classes.push_back(static_cast<int>(largest_index(result.probabilities.back())));
  }
  return result;
}

Score mean_score(const nn::Ensemble& members, const Bags& bags) {
  const nn::Logs logs =
      members.evaluate(bags.instances, bags.label_tensor(), {.batch_size = kEvaluationBatch});
  return {logs["loss"], logs["accuracy"]};
}

Score averaged_score(const Predictions& predictions, const Bags& bags) {
  constexpr double kEpsilon = 1e-7;  // Keras's bound on probabilities
  double loss = 0;
  std::int64_t hits = 0;
  for (std::size_t i = 0; i < bags.labels.size(); ++i) {
    const double p = predictions.probabilities[i][static_cast<std::size_t>(bags.labels[i])];
    loss -= std::log(std::clamp(p, kEpsilon, 1 - kEpsilon));
    hits += predictions.classes[i] == bags.labels[i];
  }
  return {mean(loss, bags.count()), mean(static_cast<double>(hits), bags.count())};
}

AttentionReport describe_attention(const Predictions& predictions, const Bags& bags) {
  AttentionReport report;
  double hits = 0, largest[2] = {0, 0};
  std::int64_t found = 0, counts[2] = {0, 0};
  for (std::size_t i = 0; i < bags.labels.size(); ++i) {
    const std::vector<double>& alpha = predictions.attention[i];
    const std::size_t top = largest_index(alpha);
    const int label = bags.labels[i];
    largest[label] += alpha[top];
    ++counts[label];
    double sum = 0;
    for (double weight : alpha) sum += weight;
    report.largest_sum_error = std::max(report.largest_sum_error, std::abs(sum - 1));
    if (label != 1 || predictions.classes[i] != 1 || bags.keys.empty()) continue;
    ++found;
    hits += bags.keys[i * alpha.size() + top];
  }
  report.key_hit_rate = mean(hits, found);
  report.mean_largest_positive = mean(largest[1], counts[1]);
  report.mean_largest_negative = mean(largest[0], counts[0]);
  return report;
}

Interval wilson_interval(std::int64_t successes, std::int64_t trials) {
  if (trials == 0) return {0, 1};
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5 % point
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // The interval holds p itself; at p = 0 and 1 rounding could push it out.
  return {std::clamp((centre - half) / scale, 0.0, p), std::clamp((centre + half) / scale, p, 1.0)};
}

}  // namespace mil
