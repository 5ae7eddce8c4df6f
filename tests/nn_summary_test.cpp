// Summaries. Every expected table was printed by keras 3.15.1 (JAX backend) for the same model:
// model.summary(print_fn=..., line_length=...) with COLUMNS=200, so that Keras's own defaults
// apply.
#include "nn/names.h"
#include "nn/summary.h"
#include "tests/nn_support.h"

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;
using test::error_of;

namespace {

/// The terminal that the golden texts were printed on.
class Columns {
 public:
  explicit Columns(const char* columns) {
    if (const char* before = std::getenv("COLUMNS")) before_ = before;
    setenv("COLUMNS", columns, 1);
  }
  ~Columns() {
    if (before_)
      setenv("COLUMNS", before_->c_str(), 1);
    else
      unsetenv("COLUMNS");
  }
  Columns(const Columns&) = delete;
  Columns& operator=(const Columns&) = delete;

 private:
  std::optional<std::string> before_;
};

std::string summary_of(const nn::Model& model, nn::SummaryOptions options = {}) {
  std::string text;
  options.print = [&](const std::string& given) { text = given; };
  model.summary(options);
  return text;
}

nn::Model chain_model() {
  nn::clear_session();
  const auto image = nn::Input({28, 28});
  const auto dense =
      nn::Dense(128, {.activation = "relu", .name = "a_very_long_layer_name_without_any_blank"});
  const auto hidden = nn::Dropout(0.5)(dense(nn::Flatten()(image)));
  nn::Model model(image, nn::Dense(10)(hidden));
  dense->set_trainable(false);
  return model;
}

nn::Model example() {
  nn::clear_session();
  return test::example_model();
}

/// Adam's state after build(): iteration, learning rate, two moments per weight.
std::shared_ptr<test::BuiltAdam> adam_of(const nn::Model& model) {
  Tensors moments;
  for (const nn::Weight& weight : model.trainable_weights())
    moments.insert(moments.end(), 2, zeros(weight.variable.shape()));
  return std::make_shared<test::BuiltAdam>(scalar(0, DType::int32), scalar(0.001), moments);
}

const char* const kExample = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                  ┃ Output Shape              ┃         Param # ┃ Connected to               ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ input_layer (InputLayer)      │ (None, 28, 28)            │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ input_layer_1 (InputLayer)    │ (None, 28, 28)            │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ input_layer_2 (InputLayer)    │ (None, 28, 28)            │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ flatten (Flatten)             │ (None, 784)               │               0 │ input_layer[0][0]          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ flatten_1 (Flatten)           │ (None, 784)               │               0 │ input_layer_1[0][0]        │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ flatten_2 (Flatten)           │ (None, 784)               │               0 │ input_layer_2[0][0]        │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense (Dense)                 │ (None, 128)               │         100,480 │ flatten[0][0],             │
│                               │                           │                 │ flatten_1[0][0],           │
│                               │                           │                 │ flatten_2[0][0]            │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense_1 (Dense)               │ (None, 64)                │           8,256 │ dense[0][0], dense[1][0],  │
│                               │                           │                 │ dense[2][0]                │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ alpha (MILAttentionLayer)     │ [(None, 1), (None, 1),    │          33,024 │ dense_1[0][0],             │
│                               │ (None, 1)]                │                 │ dense_1[1][0],             │
│                               │                           │                 │ dense_1[2][0]              │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ multiply (Multiply)           │ (None, 64)                │               0 │ alpha[0][0], dense_1[0][0] │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ multiply_1 (Multiply)         │ (None, 64)                │               0 │ alpha[0][1], dense_1[1][0] │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ multiply_2 (Multiply)         │ (None, 64)                │               0 │ alpha[0][2], dense_1[2][0] │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ concatenate (Concatenate)     │ (None, 192)               │               0 │ multiply[0][0],            │
│                               │                           │                 │ multiply_1[0][0],          │
│                               │                           │                 │ multiply_2[0][0]           │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense_2 (Dense)               │ (None, 2)                 │             386 │ concatenate[0][0]          │
└───────────────────────────────┴───────────────────────────┴─────────────────┴────────────────────────────┘
 Total params: 142,146 (555.26 KB)
 Trainable params: 142,146 (555.26 KB)
 Non-trainable params: 0 (0.00 B)
)";

const char* const kExample90 = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)             ┃ Output Shape         ┃      Param # ┃ Connected to          ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━┩
│ input_layer (InputLayer) │ (None, 28, 28)       │            0 │ -                     │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ input_layer_1            │ (None, 28, 28)       │            0 │ -                     │
│ (InputLayer)             │                      │              │                       │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ input_layer_2            │ (None, 28, 28)       │            0 │ -                     │
│ (InputLayer)             │                      │              │                       │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ flatten (Flatten)        │ (None, 784)          │            0 │ input_layer[0][0]     │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ flatten_1 (Flatten)      │ (None, 784)          │            0 │ input_layer_1[0][0]   │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ flatten_2 (Flatten)      │ (None, 784)          │            0 │ input_layer_2[0][0]   │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ dense (Dense)            │ (None, 128)          │      100,480 │ flatten[0][0],        │
│                          │                      │              │ flatten_1[0][0],      │
│                          │                      │              │ flatten_2[0][0]       │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ dense_1 (Dense)          │ (None, 64)           │        8,256 │ dense[0][0],          │
│                          │                      │              │ dense[1][0],          │
│                          │                      │              │ dense[2][0]           │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ alpha                    │ [(None, 1), (None,   │       33,024 │ dense_1[0][0],        │
│ (MILAttentionLayer)      │ 1), (None, 1)]       │              │ dense_1[1][0],        │
│                          │                      │              │ dense_1[2][0]         │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ multiply (Multiply)      │ (None, 64)           │            0 │ alpha[0][0],          │
│                          │                      │              │ dense_1[0][0]         │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ multiply_1 (Multiply)    │ (None, 64)           │            0 │ alpha[0][1],          │
│                          │                      │              │ dense_1[1][0]         │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ multiply_2 (Multiply)    │ (None, 64)           │            0 │ alpha[0][2],          │
│                          │                      │              │ dense_1[2][0]         │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ concatenate              │ (None, 192)          │            0 │ multiply[0][0],       │
│ (Concatenate)            │                      │              │ multiply_1[0][0],     │
│                          │                      │              │ multiply_2[0][0]      │
├──────────────────────────┼──────────────────────┼──────────────┼───────────────────────┤
│ dense_2 (Dense)          │ (None, 2)            │          386 │ concatenate[0][0]     │
└──────────────────────────┴──────────────────────┴──────────────┴───────────────────────┘
 Total params: 142,146 (555.26 KB)
 Trainable params: 142,146 (555.26 KB)
 Non-trainable params: 0 (0.00 B)
)";

const char* const kExample60 = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)    ┃ Output Shape ┃ Param # ┃ Connected to  ┃
┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ input_layer     │ (None, 28,   │       0 │ -             │
│ (InputLayer)    │ 28)          │         │               │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ input_layer_1   │ (None, 28,   │       0 │ -             │
│ (InputLayer)    │ 28)          │         │               │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ input_layer_2   │ (None, 28,   │       0 │ -             │
│ (InputLayer)    │ 28)          │         │               │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ flatten         │ (None, 784)  │       0 │ input_layer[… │
│ (Flatten)       │              │         │               │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ flatten_1       │ (None, 784)  │       0 │ input_layer_… │
│ (Flatten)       │              │         │               │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ flatten_2       │ (None, 784)  │       0 │ input_layer_… │
│ (Flatten)       │              │         │               │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ dense (Dense)   │ (None, 128)  │ 100,480 │ flatten[0][0… │
│                 │              │         │ flatten_1[0]… │
│                 │              │         │ flatten_2[0]… │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ dense_1 (Dense) │ (None, 64)   │   8,256 │ dense[0][0],  │
│                 │              │         │ dense[1][0],  │
│                 │              │         │ dense[2][0]   │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ alpha           │ [(None, 1),  │  33,024 │ dense_1[0][0… │
│ (MILAttentionL… │ (None, 1),   │         │ dense_1[1][0… │
│                 │ (None, 1)]   │         │ dense_1[2][0] │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ multiply        │ (None, 64)   │       0 │ alpha[0][0],  │
│ (Multiply)      │              │         │ dense_1[0][0] │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ multiply_1      │ (None, 64)   │       0 │ alpha[0][1],  │
│ (Multiply)      │              │         │ dense_1[1][0] │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ multiply_2      │ (None, 64)   │       0 │ alpha[0][2],  │
│ (Multiply)      │              │         │ dense_1[2][0] │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ concatenate     │ (None, 192)  │       0 │ multiply[0][… │
│ (Concatenate)   │              │         │ multiply_1[0… │
│                 │              │         │ multiply_2[0… │
├─────────────────┼──────────────┼─────────┼───────────────┤
│ dense_2 (Dense) │ (None, 2)    │     386 │ concatenate[… │
└─────────────────┴──────────────┴─────────┴───────────────┘
 Total params: 142,146 (555.26 KB)
 Trainable params: 142,146 (555.26 KB)
 Non-trainable params: 0 (0.00 B)
)";

const char* const kChain = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                         ┃ Output Shape                ┃         Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
│ input_layer (InputLayer)             │ (None, 28, 28)              │               0 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ flatten (Flatten)                    │ (None, 784)                 │               0 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ a_very_long_layer_name_without_any_… │ (None, 128)                 │         100,480 │
│ (Dense)                              │                             │                 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ dropout (Dropout)                    │ (None, 128)                 │               0 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ dense (Dense)                        │ (None, 10)                  │           1,290 │
└──────────────────────────────────────┴─────────────────────────────┴─────────────────┘
 Total params: 101,770 (397.54 KB)
 Trainable params: 1,290 (5.04 KB)
 Non-trainable params: 100,480 (392.50 KB)
)";

const char* const kChain50 = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape   ┃ Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━┩
│ input_layer         │ (None, 28, 28) │       0 │
│ (InputLayer)        │                │         │
├─────────────────────┼────────────────┼─────────┤
│ flatten (Flatten)   │ (None, 784)    │       0 │
├─────────────────────┼────────────────┼─────────┤
│ a_very_long_layer_… │ (None, 128)    │ 100,480 │
│ (Dense)             │                │         │
├─────────────────────┼────────────────┼─────────┤
│ dropout (Dropout)   │ (None, 128)    │       0 │
├─────────────────────┼────────────────┼─────────┤
│ dense (Dense)       │ (None, 10)     │   1,290 │
└─────────────────────┴────────────────┴─────────┘
 Total params: 101,770 (397.54 KB)
 Trainable params: 1,290 (5.04 KB)
 Non-trainable params: 100,480 (392.50 KB)
)";

const char* const kChainTrainable = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━┓
┃ Layer (type)                          ┃ Output Shape                  ┃        Param # ┃ Traina… ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━┩
│ input_layer (InputLayer)              │ (None, 28, 28)                │              0 │    -    │
├───────────────────────────────────────┼───────────────────────────────┼────────────────┼─────────┤
│ flatten (Flatten)                     │ (None, 784)                   │              0 │    -    │
├───────────────────────────────────────┼───────────────────────────────┼────────────────┼─────────┤
│ a_very_long_layer_name_without_any_b… │ (None, 128)                   │        100,480 │    N    │
│ (Dense)                               │                               │                │         │
├───────────────────────────────────────┼───────────────────────────────┼────────────────┼─────────┤
│ dropout (Dropout)                     │ (None, 128)                   │              0 │    -    │
├───────────────────────────────────────┼───────────────────────────────┼────────────────┼─────────┤
│ dense (Dense)                         │ (None, 10)                    │          1,290 │    Y    │
└───────────────────────────────────────┴───────────────────────────────┴────────────────┴─────────┘
 Total params: 101,770 (397.54 KB)
 Trainable params: 1,290 (5.04 KB)
 Non-trainable params: 100,480 (392.50 KB)
)";

const char* const kOrder = R"(Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                  ┃ Output Shape              ┃         Param # ┃ Connected to               ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ input_layer (InputLayer)      │ (None, 4)                 │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ input_layer_1 (InputLayer)    │ (None, 3)                 │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense (Dense)                 │ (None, 5)                 │              25 │ input_layer[0][0]          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense_1 (Dense)               │ (None, 5)                 │              20 │ input_layer_1[0][0]        │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ add (Add)                     │ (None, 5)                 │               0 │ dense[0][0], dense_1[0][0] │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ input_layer_2 (InputLayer)    │ (None, 2)                 │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ dense_2 (Dense)               │ (None, 1)                 │               6 │ add[0][0]                  │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ activation (Activation)       │ (None, 5)                 │               0 │ dense[0][0]                │
└───────────────────────────────┴───────────────────────────┴─────────────────┴────────────────────────────┘
 Total params: 51 (204.00 B)
 Trainable params: 51 (204.00 B)
 Non-trainable params: 0 (0.00 B)
)";

const char* const kRecurrent = R"(Model: "functional_2"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                  ┃ Output Shape              ┃         Param # ┃ Connected to               ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ input_layer (InputLayer)      │ (None, 4)                 │               0 │ -                          │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ d (Dense)                     │ (None, 4)                 │              20 │ input_layer[0][0],         │
│                               │                           │                 │ activation_1[0][0]         │
├───────────────────────────────┼───────────────────────────┼─────────────────┼────────────────────────────┤
│ activation_1 (Activation)     │ (None, 4)                 │               0 │ d[0][0]                    │
└───────────────────────────────┴───────────────────────────┴─────────────────┴────────────────────────────┘
 Total params: 20 (80.00 B)
 Trainable params: 20 (80.00 B)
 Non-trainable params: 0 (0.00 B)
)";

}  // namespace

TEST_CASE("nn summary: the example's table on a wide terminal") {
  const Columns columns("200");
  CHECK(summary_of(example()) == kExample);
}

TEST_CASE("nn summary: narrower tables wrap and shorten as Keras's do") {
  const nn::Model model = example();
  CHECK(summary_of(model, {.line_length = 90}) == kExample90);
  CHECK(summary_of(model, {.line_length = 60}) == kExample60);
}

TEST_CASE("nn summary: the terminal limits the width, four columns stay free") {
  const nn::Model model = example();
  const Columns columns("94");
  CHECK(summary_of(model) == kExample90);
}

TEST_CASE("nn summary: a chain has no connections; frozen weights count apart") {
  const Columns columns("200");
  const nn::Model model = chain_model();
  CHECK(summary_of(model) == kChain);
  CHECK(summary_of(model, {.line_length = 50}) == kChain50);
  CHECK(summary_of(model, {.show_trainable = true}) == kChainTrainable);
}

TEST_CASE("nn summary: unused inputs and layers called twice") {
  const Columns columns("200");
  nn::clear_session();
  const auto a = nn::Input({4}), b = nn::Input({3}), unused = nn::Input({2});
  const auto x = nn::Dense(5)(a), y = nn::Dense(5)(b);
  const auto sum = nn::add({x, y});
  const auto activated = nn::Activation("relu")(x);
  CHECK(summary_of(nn::Model({a, b, unused}, {nn::Dense(1)(sum), activated})) == kOrder);
  const auto shared = nn::Dense(4, {.name = "d"});
  const auto twice = shared(nn::Activation("tanh")(shared(a)));
  CHECK(summary_of(nn::Model(a, twice, {.name = "functional_2"})) == kRecurrent);
}

TEST_CASE("nn summary: the optimizer's state is part of the total once it is built") {
  nn::Model model = example();
  model.set_optimizer_state(adam_of(model));
  const std::string text = summary_of(model);
  CHECK(text.substr(text.find(" Total params")) ==
        " Total params: 426,440 (1.63 MB)\n"
        " Trainable params: 142,146 (555.26 KB)\n"
        " Non-trainable params: 0 (0.00 B)\n"
        " Optimizer params: 284,294 (1.08 MB)\n");
}

TEST_CASE("nn summary: colours change no character") {
  const nn::Model model = example();
  const std::string plain = nn::summary_text(model, {.line_length = 90}, false);
  std::string coloured = nn::summary_text(model, {.line_length = 90}, true);
  CHECK(coloured.find("\x1b[1mModel: \"functional\"\x1b[0m\n") == 0);
  CHECK(coloured.find("\x1b[38;5;33mInputLayer\x1b[0m") != std::string::npos);
  CHECK(coloured.find("(\x1b[38;5;45mNone\x1b[0m, \x1b[38;5;34m28\x1b[0m, ") != std::string::npos);
  for (std::size_t at; (at = coloured.find('\x1b')) != std::string::npos;)
    coloured.erase(at, coloured.find('m', at) - at + 1);
  CHECK(coloured == plain);
}

TEST_CASE("nn summary: a line too short for its columns is refused") {
  CHECK(error_of<ValueError>([] { summary_of(example(), {.line_length = 12}); }) ==
        "[summary] a line length of 12 leaves column \"Layer (type)\" less than 4 characters");
}
