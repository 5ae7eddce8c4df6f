// Builds the example's graph.
#include "examples/mil/example_model.h"

#include "examples/mil/attention.h"
#include "nn/layers.h"

#include <algorithm>
#include <string>

namespace mil {

using namespace milgrad;  // NOLINT: written as a user of the library would

nn::Model make_model(const ModelOptions& options, std::int64_t bag_size, const ImageShape& image) {
  std::vector<nn::Handle<nn::DenseLayer>> shared;
  for (std::int64_t units : options.dense)
    shared.push_back(nn::Dense(units, {.activation = "relu"}));

  nn::SymbolicTensors inputs, embeddings;
  for (std::int64_t i = 0; i < bag_size; ++i) {
    inputs.push_back(nn::Input({image.rows, image.columns}));
    nn::SymbolicTensor h = nn::Flatten()(inputs.back());
    for (const auto& dense : shared) h = dense(h);
    embeddings.push_back(h);
  }

  const nn::SymbolicTensors alpha =
      MILAttention(options.attention_dim, {.kernel_regularizer = nn::L2(options.l2),
                                           .use_gated = options.gated,
                                           .name = "alpha"})(embeddings);
  nn::SymbolicTensors weighted;
  for (std::size_t i = 0; i < alpha.size(); ++i)
    weighted.push_back(nn::multiply({alpha[i], embeddings[i]}));
  const nn::SymbolicTensor bag = nn::concatenate(weighted, {.axis = 1});
  return nn::Model(inputs, nn::Dense(2, {.activation = "softmax"})(bag));
}

nn::Model attention_model(const nn::Model& model) {
  return nn::Model(model.input(), model.get_layer("alpha").output());
}

void print_summary(const nn::Model& model, Console& console) {
  constexpr int kWidest = 108, kNarrowest = 60;  // Keras's width of a graph's table; still legible
  const int columns = console.settings().columns;
  const int width = columns == 0 ? kWidest : std::clamp(columns - 4, kNarrowest, kWidest);
  model.summary({.line_length = width, .print = [&](std::string text) {
                   text.pop_back();  // the last newline, which the console adds
                   console.print(text);
                 }});
}

}  // namespace mil
