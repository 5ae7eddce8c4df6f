// The figures of a run, as lines and as JSON.
#include "examples/mil/run_report.h"

#include "examples/mil/evaluation.h"
#include "examples/mil/option_table.h"
#include "examples/mil/pictures.h"
#include "examples/mil/system_facts.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

namespace {

/// The members' mean scores, and those of their averaged prediction.
struct Scores {
  Score mean;
  Score together;
};

nlohmann::json to_json(const Scores& scores, const Bags& bags) {
  return {{"bags", bags.count()},
          {"positive", bags.positives()},
          {"loss", scores.mean.loss},
          {"accuracy", scores.mean.accuracy},
          {"ensemble", {{"loss", scores.together.loss}, {"accuracy", scores.together.accuracy}}}};
}

nlohmann::json report_validation(const nn::Ensemble& members, const Bags& bags,
                                 const Predictions& predictions, Console& console) {
  const Scores scores{mean_score(members, bags), averaged_score(predictions, bags)};
  console.print(fmt::format("The average loss and accuracy are {:.2f} and {:.2f} % resp.",
                            scores.mean.loss, 100 * scores.mean.accuracy));
  return to_json(scores, bags);
}

void print_test(const Scores& scores, const Interval& interval, std::int64_t bags, int members,
                Console& console) {
  const std::string range = fmt::format("(95 % Wilson interval {:.2f} to {:.2f} %)",
                                        100 * interval.low, 100 * interval.high);
  console.print(fmt::format("Untouched test set of {} bags: loss {:.2f}, accuracy {:.2f} % {}",
                            bags, scores.mean.loss, 100 * scores.mean.accuracy,
                            members == 1 ? range : fmt::format("(mean of {} members)", members)));
  if (members > 1)
    console.print(fmt::format("Their averaged prediction: loss {:.2f}, accuracy {:.2f} % {}",
                              scores.together.loss, 100 * scores.together.accuracy, range));
  console.print(
      "The validation bags were used to select the epoch; these test bags were used for nothing.");
}

nlohmann::json report_test(const nn::Ensemble& members, const Bags& bags, Console& console) {
  const Scores scores{mean_score(members, bags), averaged_score(predict(members, bags), bags)};
  const auto hits = static_cast<std::int64_t>(
      std::llround(scores.together.accuracy * static_cast<double>(bags.count())));
  const Interval interval = wilson_interval(hits, bags.count());
  print_test(scores, interval, bags.count(), members.size(), console);
  nlohmann::json report = to_json(scores, bags);
  report["interval"] = {
      {"method", "Wilson"}, {"level", 0.95}, {"low", interval.low}, {"high", interval.high}};
  return report;
}

nlohmann::json to_json(const AttentionReport& attention) {
  return {{"key_hit_rate", attention.key_hit_rate},
          {"mean_largest_weight",
           {{"positive", attention.mean_largest_positive},
            {"negative", attention.mean_largest_negative}}},
          {"largest_sum_error", attention.largest_sum_error}};
}

template <class Value>
nlohmann::json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json to_json(const std::vector<MemberRecord>& members) {
  nlohmann::json list = nlohmann::json::array();
  for (const MemberRecord& member : members)
    list.push_back({{"epochs", member.history.epoch.size()},
                    {"best_epoch", or_null(member.best_epoch)},
                    {"best_val_loss", or_null(member.best_val_loss)},
                    {"stopped_epoch", or_null(member.stopped_epoch)},
                    {"weights", member.weights.filename().string()}});
  return list;
}

nlohmann::json seeds_of(const RunRecord& run, const nn::Ensemble& members) {
  nlohmann::json seeds = {{"seed", run.options.compute.seed}, {"members", nlohmann::json::array()}};
  for (int i = 0; i < members.size(); ++i) seeds["members"].push_back(members.seed(i));
  return seeds;
}

}  // namespace

nlohmann::json report_run(const RunRecord& run, const nn::Ensemble& members, Console& console) {
  const Bags& validation = run.bags.validation;
  const Predictions predictions = predict(members, validation);
  nlohmann::json metrics;
  metrics["parameters"] = members[0].count_params();
  metrics["validation"] = report_validation(members, validation, predictions, console);
  draw_attention(validation, predictions, run.options.plot_size, run.options.out, console);
  metrics["test"] = report_test(members, run.bags.test, console);
  metrics["attention"] = to_json(describe_attention(predictions, validation));
  metrics["members"] = to_json(run.members);
  metrics["seeds"] = seeds_of(run, members);
  metrics["data"] = {{"dataset", run.options.dataset.dataset}, {"sha256", run.sha256}};
  metrics["configuration"] = configuration(run.options);
  metrics["versions"] = to_json(system_facts());
  metrics["interrupted"] = run.interrupted;
  metrics["seconds"] = {{"fit", run.fit_seconds}};
  return metrics;
}

void print_decisions(const RunRecord& run, const MemberRecord& member, const std::string& who,
                     Console& console) {
  const FitOptions& fit = run.options.fit;
  const std::size_t epochs = member.history.epoch.size();
  if (member.stopped_epoch)
    console.message(fmt::format("{}early stopping ended training after epoch {} of {}", who,
                                *member.stopped_epoch, fit.epochs));
  else if (fit.early_stopping && static_cast<std::int64_t>(epochs) == fit.epochs)
    console.message(fmt::format(
        "{}early stopping, with a patience of {}, let training run all of its epochs ({})", who,
        fit.patience, fit.epochs));
  if (member.best_epoch)
    console.message(fmt::format("{}best epoch {} with val_loss {:.4f}, saved as {}", who,
                                *member.best_epoch, *member.best_val_loss,
                                member.weights.string()));
  else
    console.warning(fmt::format(
        "{}{}, so no weights were saved", who,
        epochs == 0 ? "no epoch ended" : "no epoch had a validation loss that is a number"));
}

}  // namespace mil
