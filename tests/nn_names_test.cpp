// Automatic names and the nearest known name. Expected names: keras 3.15.1, utils.naming.
#include "nn/names.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;

TEST_CASE("nn names: snake_case is Keras's rule") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"MILAttentionLayer", "mil_attention_layer"},
      {"Conv2D", "conv2d"},
      {"ReLU", "re_lu"},
      {"LSTMCell", "lstm_cell"},
      {"F1Score", "f1_score"},
      {"InputLayer", "input_layer"},
      {"SparseCategoricalAccuracy", "sparse_categorical_accuracy"},
      {"A", "a"},
      {"ABc", "a_bc"},
      {"Foo<Bar>", "foo_bar"},
      {"my_layer", "my_layer"},
      {"Conv2DTranspose", "conv2d_transpose"},
      {"AUC", "auc"},
      {"", ""},
  };
  for (const auto& [given, expected] : cases) CHECK(nn::snake_case(given) == expected);
}

TEST_CASE("nn names: one counter per base name, which clear_session resets") {
  nn::clear_session();
  CHECK(nn::unique_name("Dense") == "dense");
  CHECK(nn::unique_name("Dense") == "dense_1");
  CHECK(nn::unique_name("Flatten") == "flatten");
  CHECK(nn::unique_name("dense") == "dense_2");
  nn::clear_session();
  CHECK(nn::unique_name("Dense") == "dense");
}

TEST_CASE("nn names: the nearest known name is suggested, if one is near") {
  const std::vector<std::string> known{"relu", "sigmoid", "softmax"};
  CHECK(nn::nearest_name("rleu", known) == "relu");
  CHECK(nn::nearest_name("soft_max", known) == "softmax");
  CHECK(nn::nearest_name("transformer", known) == "");
  CHECK(nn::nearest_name("relu", known) == "relu");
  CHECK(nn::nearest_name("", known) == "");
  CHECK(nn::nearest_name(std::string(100'000, 'a'), known) == "");
  const ValueError error = nn::unknown_name("activation", "sigmod", known);
  CHECK(std::string(error.what()) ==
        "[activation] there is no \"sigmod\"; did you mean \"sigmoid\"?");
  CHECK(error.hint() == "known are relu, sigmoid, softmax");
}
