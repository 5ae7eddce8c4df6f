// The rows and totals of a model's summary.
#include "nn/summary.h"

#include "nn/layer_graph.h"
#include "nn/model.h"
#include "nn/table.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace milgrad::nn {
namespace {

constexpr TextStyle kBold{.bold = true};
constexpr TextStyle kClass{.colour = 33};
constexpr TextStyle kNumber{.colour = 34};
constexpr TextStyle kNone{.colour = 45};
constexpr TextStyle kYes{.bold = true, .colour = 34};
constexpr TextStyle kNo{.bold = true, .colour = 9};

constexpr int kChainLength = 88;
constexpr int kGraphLength = 108;
constexpr int kTrainableLength = 12;
constexpr int kLeastColumn = 4;

std::string with_commas(std::int64_t count) {
  if (count < 1000) return std::to_string(count);
  return fmt::format("{},{:03}", with_commas(count / 1000), count % 1000);
}

std::string readable_size(double bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  for (const char* unit : kUnits) {
    if (bytes < 1024) return fmt::format("{:.2f} {}", bytes, unit);
    bytes /= 1024;
  }
  return fmt::format("{:.2f} PB", bytes);
}

StyledText shape_text(const Shape& shape) {
  StyledText text("(");
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text.append(", ");
    if (is_symbolic(shape[axis]))
      text.append("None", kNone);
    else
      text.append(std::to_string(shape[axis]), kNumber);
  }
  return text.append(")");
}

StyledText output_text(const LayerCall& call) {
  if (call.outputs.size() == 1) return shape_text(call.outputs[0].shape);
  StyledText text("[");
  for (std::size_t i = 0; i < call.outputs.size(); ++i)
    text.append(i > 0 ? ", " : "").append(shape_text(call.outputs[i].shape));
  return text.append("]");
}

/// The calls of one layer in a model, in the order they were made.
using Calls = std::vector<const LayerCall*>;

StyledText connection_text(const Calls& calls) {
  StyledText text;
  for (const LayerCall* call : calls)
    for (const SymbolicTensor& input : call->inputs) {
      if (text.width() > 0) text.append(", ");
      text.append(input.layer().name()).append("[");
      text.append(std::to_string(input.node_index()), kNumber).append("][");
      text.append(std::to_string(input.tensor_index()), kNumber).append("]");
    }
  return text.width() == 0 ? StyledText("-") : text;
}

std::map<const Layer*, Calls> calls_by_layer(const LayerGraph& graph) {
  std::map<const Layer*, Calls> result;
  for (const GraphStep& step : graph.steps)
    result[step.call->layer.get()].push_back(step.call.get());
  for (auto& [layer, calls] : result)
    std::sort(calls.begin(), calls.end(),
              [](const LayerCall* a, const LayerCall* b) { return a->node_index < b->node_index; });
  return result;
}

/// One call of one tensor at each depth, no layer twice: then connections need no column.
bool is_chain(const LayerGraph& graph) {
  std::set<int> depths;
  std::set<const Layer*> layers;
  return std::all_of(graph.steps.begin(), graph.steps.end(), [&](const GraphStep& step) {
    return step.call->inputs.size() <= 1 && depths.insert(step.depth).second &&
           layers.insert(step.call->layer.get()).second;
  });
}

int terminal_columns() {
  if (const char* columns = std::getenv("COLUMNS"); columns != nullptr && std::atoi(columns) > 0)
    return std::atoi(columns);
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::vector<TableColumn> make_columns(bool chain, const SummaryOptions& options) {
  using Align = TableColumn::Align;
  std::vector<TableColumn> columns{{"Layer (type)"}, {"Output Shape"}, {"Param #", Align::right}};
  std::vector<double> ends = {0.45, 0.80, 1.0};
  if (!chain) {
    columns.push_back({"Connected to"});
    ends = {0.3, 0.56, 0.74, 1.0};
  }
  int length = chain ? kChainLength : kGraphLength;
  if (options.show_trainable) {
    length += kTrainableLength;
    columns.push_back({"Trainable", Align::centre});
    for (double& end : ends) end *= 0.90;
    ends.push_back(1.0);
  }
  length =
      options.line_length != 0 ? options.line_length : std::min(length, terminal_columns() - 4);
  int start = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const int end = static_cast<int>(ends[i] * length);
    if (end - start < kLeastColumn)
      throw ValueError(
          fmt::format("[summary] a line length of {} leaves column \"{}\" less than {} "
                      "characters",
                      length, columns[i].title, kLeastColumn),
          "ask for a greater line_length");
    columns[i].width = static_cast<std::size_t>(end - start);
    start = end;
  }
  fit_columns(columns, static_cast<std::size_t>(length));
  return columns;
}

StyledText trainable_text(const Layer& layer) {
  if (layer.weights().empty()) return StyledText("-", kBold);
  return layer.trainable() ? StyledText("Y", kYes) : StyledText("N", kNo);
}

std::vector<std::vector<StyledText>> make_rows(const Model& model, bool chain,
                                               const SummaryOptions& options) {
  const auto calls = calls_by_layer(model.graph());
  std::vector<std::vector<StyledText>> rows;
  for (const auto& layer : model.layers()) {
    const Calls& of_layer = calls.at(&*layer);
    StyledText name(layer->name() + " (");
    name.append(layer->class_name(), kClass).append(")");
    std::vector<StyledText> row{name, output_text(*of_layer.back()),
                                StyledText(with_commas(layer->count_params()), kNumber)};
    if (!chain) row.push_back(connection_text(of_layer));
    if (options.show_trainable) row.push_back(trainable_text(*layer));
    rows.push_back(std::move(row));
  }
  return rows;
}

struct Total {
  std::int64_t count = 0;
  double bytes = 0;
  void add(const Variable& variable) {
    const std::int64_t elements = variable.shape().numel();
    count += elements;
    bytes += static_cast<double>(elements) * static_cast<double>(size_of(variable.dtype()));
  }
};

Total total_of(const std::vector<Weight>& weights) {
  Total total;
  for (const Weight& weight : weights) total.add(weight.variable);
  return total;
}

std::string total_line(const char* label, const Total& total, bool colour) {
  StyledText text(fmt::format(" {} params: ", label), kBold);
  text.append(with_commas(total.count), kNumber);
  text.append(fmt::format(" ({})", readable_size(total.bytes)));
  return text.render(colour) + "\n";
}

std::string total_lines(const Model& model, bool colour) {
  const Total trainable = total_of(model.trainable_weights());
  const Total frozen = total_of(model.non_trainable_weights());
  const auto& optimizer = model.optimizer_state();
  const bool has_optimizer = optimizer != nullptr && optimizer->built();
  Total slots;
  if (has_optimizer)
    for (const Variable& variable : optimizer->variables()) slots.add(variable);
  const Total all{trainable.count + frozen.count + slots.count,
                  trainable.bytes + frozen.bytes + slots.bytes};
  std::string text = total_line("Total", all, colour);
  text += total_line("Trainable", trainable, colour);
  text += total_line("Non-trainable", frozen, colour);
  if (has_optimizer) text += total_line("Optimizer", slots, colour);
  return text;
}

bool output_takes_colour() {
  const char* terminal = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

}  // namespace

std::string summary_text(const Model& model, const SummaryOptions& options, bool colour) {
  const bool chain = is_chain(model.graph());
  std::string text =
      StyledText(fmt::format("Model: \"{}\"", model.name()), kBold).render(colour) + "\n";
  text += render_table(make_columns(chain, options), make_rows(model, chain, options), colour);
  return text + total_lines(model, colour);
}

void Model::summary(const SummaryOptions& options) const {
  if (options.print)
    options.print(summary_text(*this, options, false));
  else
    std::cout << summary_text(*this, options, output_takes_colour()) << std::flush;
}

}  // namespace milgrad::nn
