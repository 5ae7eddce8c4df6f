// What each command does, and lines to copy.
#include "examples/mil/option_table.h"

namespace mil {
namespace {

CommandDescription description_of(const TrainOptions&) {
  return {"train",
          "Train the attention model on bags of digits and show what it looks at.",
          {"mil train --out runs/first", "mil train --dataset fashion-mnist --positive-class 7",
           "mil train --ensemble 5 --epochs 50 --config run.toml"}};
}

CommandDescription description_of(const PredictOptions&) {
  return {"predict",
          "Predict a run's validation bags, or others; one CSV row a bag, with its attention.",
          {"mil predict runs/first --out predictions.csv",
           "mil predict --weights runs/first/best.weights.h5 --data my_bags"}};
}

CommandDescription description_of(const EvaluateOptions&) {
  return {"evaluate",
          "Loss and accuracy of a trained model on its run's validation bags, or on others.",
          {"mil evaluate runs/first", "mil evaluate runs/first --seed 7 --json"}};
}

CommandDescription description_of(const PlotOptions&) {
  return {"plot",
          "Draw bags with the attention a trained model gives to each instance.",
          {"mil plot runs/first", "mil plot runs/first --plot-size 5 --out pictures"}};
}

CommandDescription description_of(const SummaryOptions&) {
  return {
      "summary", "Print the layers and parameters of a trained model.", {"mil summary runs/first"}};
}

CommandDescription description_of(const FetchOptions&) {
  return {"data fetch",
          "Download a dataset into the cache; the only command that uses the network.",
          {"mil data fetch mnist", "mil data fetch mnist --mirror https://example.org/mnist/"}};
}

CommandDescription description_of(const InspectOptions&) {
  return {"data inspect",
          "Check a dataset or a folder of bags and count what is in it.",
          {"mil data inspect mnist", "mil data inspect --data my_bags"}};
}

CommandDescription description_of(const InfoOptions&) {
  return {"info",
          "Show versions, the processor, and what the libraries make of it.",
          {"mil info", "mil info --json"}};
}

}  // namespace

CommandDescription describe(const Command& command) {
  return std::visit([](const auto& options) { return description_of(options); }, command);
}

}  // namespace mil
