// Models: order and names of layers (keras 3.15.1's), inputs, inner models, weights.
#include "autograd/grad.h"
#include "autograd/trace.h"
#include "nn/model.h"
#include "nn/names.h"
#include "nn/seed.h"
#include "tests/nn_support.h"
#include "tests/registry/sample_tensors.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace milgrad;
using test::error_of;
using test::ramp;

namespace {

std::string layer_names(const nn::Model& model) {
  std::vector<std::string> names;
  for (const auto& layer : model.layers()) names.push_back(layer->name());
  return fmt::format("{}", fmt::join(names, " "));
}

std::string weight_paths(const std::vector<nn::Weight>& weights) {
  std::vector<std::string> paths;
  for (const nn::Weight& weight : weights) paths.push_back(weight.path);
  return fmt::format("{}", fmt::join(paths, " "));
}

nn::Model example() {
  nn::clear_session();
  return test::example_model();
}

nn::Model two_inputs() {
  nn::clear_session();
  const auto a = nn::Input({2}), b = nn::Input({2});
  return nn::Model({a, b}, nn::add({a, b}));
}

}  // namespace

TEST_CASE("nn model: names and order of the example are Keras's, also of a second model") {
  const nn::Model first = example();
  CHECK(first.name() == "functional");
  CHECK(layer_names(first) ==
        "input_layer input_layer_1 input_layer_2 flatten flatten_1 flatten_2 dense dense_1 alpha "
        "multiply multiply_1 multiply_2 concatenate dense_2");
  CHECK(weight_paths(first.weights()) ==
        "dense/kernel dense/bias dense_1/kernel dense_1/bias alpha/v alpha/w alpha/u "
        "dense_2/kernel dense_2/bias");
  CHECK(first.count_params() == 142146);
  const nn::Model inner(first.input(), first.get_layer("alpha").output());
  CHECK(inner.name() == "functional_1");
  const nn::Model second = test::example_model();
  CHECK(second.name() == "functional_2");
  CHECK(layer_names(second) ==
        "input_layer_3 input_layer_4 input_layer_5 flatten_3 flatten_4 flatten_5 dense_3 dense_4 "
        "alpha multiply_3 multiply_4 multiply_5 concatenate_1 dense_5");
}

TEST_CASE("nn model: an inner model shares weights and keeps what it needs") {
  const nn::Model model = example();
  const nn::Model inner(model.input(), model.get_layer("alpha").output());
  CHECK(layer_names(inner) ==
        "input_layer input_layer_1 input_layer_2 flatten flatten_1 flatten_2 dense dense_1 alpha");
  CHECK(inner.weights()[0].variable == model.weights()[0].variable);
  CHECK(inner.output_names() == std::vector<std::string>{"alpha", "alpha", "alpha"});
  const Tensors bag{ramp({4, 28, 28}, 1e-4), ramp({4, 28, 28}, 2e-4), ramp({4, 28, 28}, -1e-4)};
  const auto attention = inner(bag);
  REQUIRE(attention.size() == 3);
  const auto total = (attention[0] + attention[1] + attention[2]).to_vector<float>();
  for (float value : total) CHECK(value == doctest::Approx(1.0F));
  const Tensor prediction = model(bag);
  CHECK(prediction.shape() == Shape{4, 2});
}

TEST_CASE("nn model: an inner tensor can be an input") {
  const nn::Model model = example();
  const auto joined = model.get_layer("concatenate").output();
  const nn::Model head(joined, model.output());
  CHECK(layer_names(head) == "dense_2");
  const auto row = head(ones({3, 192})).one().to_vector<float>();
  CHECK(row[0] + row[1] == doctest::Approx(1.0F));
}

TEST_CASE("nn model: the result is what the layers compute one by one") {
  nn::clear_session();
  const auto a = nn::Input({4}), b = nn::Input({3});
  const auto shared = nn::Dense(3, {.activation = "tanh"});
  const auto other = nn::Dense(3);
  const auto x = shared(a);
  const auto sum = nn::add({x, other(b)});
  const nn::Model model({a, b}, {sum, nn::Activation("relu")(x)});
  const Tensor p = ramp({5, 4}, 0.1), q = ramp({5, 3}, -0.1);
  const auto outputs = model({p, q});
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].to_vector<float>() == (shared(p) + other(q)).to_vector<float>());
  CHECK(outputs[1].to_vector<float>() == relu(shared(p)).to_vector<float>());
}

TEST_CASE("nn model: a layer may feed itself, and a call may fix its mode") {
  nn::clear_session();
  const auto a = nn::Input({3});
  const auto shared = nn::Dense(3);
  const nn::Model model(a, shared(nn::Activation("tanh")(shared(a))));
  CHECK(layer_names(model) == "input_layer dense activation");
  const Tensor x = ramp({2, 3}, 0.3);
  CHECK(model(x).one().to_vector<float>() == shared(tanh(shared(x))).to_vector<float>());
  const auto dropout = nn::Dropout(1);
  const nn::Model always(a, dropout(a, nn::Mode::train));
  const nn::Model usual(a, dropout(a));
  CHECK(always(x).one().to_vector<float>() == std::vector<float>(6, 0));
  CHECK(usual(x).one().to_vector<float>() == x.to_vector<float>());
  CHECK(usual(x, nn::Mode::train).one().to_vector<float>() == std::vector<float>(6, 0));
}

TEST_CASE("nn model: calls of a shared layer on few rows run as one, with the same result") {
  nn::clear_session();
  nn::set_floatx(DType::float64);
  const auto first = nn::Dense(5, {.activation = "tanh"});
  const auto second = nn::Dense(4);
  nn::SymbolicTensors inputs, embeddings;
  for (int i = 0; i < 3; ++i) {
    inputs.push_back(nn::Input({3}));
    embeddings.push_back(second(first(inputs.back())));
  }
  // The middle one is also read by itself.
  const auto joined = nn::concatenate({embeddings[0], embeddings[1], embeddings[2]});
  const nn::Model model(inputs, {joined, embeddings[1]});
  nn::set_floatx(DType::float32);
  const auto by_hand = [&](const Tensors& x) {
    Tensors parts;
    for (const Tensor& one : x) parts.push_back(second(first(one)));
    return Tensors{concat(parts, 1), parts[1]};
  };
  const auto count_products = [&](const Graph& graph) {
    return std::count_if(graph.operations.begin(), graph.operations.end(),
                         [](const Graph::Operation& o) { return o.op == Op::linear; });
  };
  Tensors leaves;
  for (const nn::Weight& weight : model.weights()) leaves.push_back(weight.variable.value());
  for (const auto& [rows, products] : {std::pair{1, 2}, {32, 2}, {33, 6}}) {
    CAPTURE(rows);
    Tensors x;
    for (int i = 0; i < 3; ++i) x.push_back(ramp({rows, 3}, 0.01 * (i + 1), DType::float64));
    const auto run = [&](const Tensors& t) { return model(t).list(); };
    CHECK(count_products(trace(run, {x[0].spec(), x[1].spec(), x[2].spec()})) == products);
    const Tensors got = run(x), expected = by_hand(x);
    for (std::size_t i = 0; i < got.size(); ++i)
      CHECK(test::largest_difference(got[i], expected[i]) <= 1e-14);
    const auto gradients = [&](const Tensors& y) {
      return grad(Tensors{sum(square(y[0])) + sum(y[1])}, leaves);
    };
    const Tensors g = gradients(got), wanted = gradients(expected);
    for (std::size_t i = 0; i < g.size(); ++i)
      CHECK(test::largest_difference(g[i], wanted[i]) <= 1e-11);
  }
}

TEST_CASE("nn model: inputs no output needs are kept, before the last layers") {
  nn::clear_session();
  const auto a = nn::Input({4}), b = nn::Input({3}), unused = nn::Input({2});
  const auto x = nn::Dense(5)(a), y = nn::Dense(5)(b);
  const auto sum = nn::add({x, y});
  const auto activated = nn::Activation("relu")(x);
  const nn::Model model({a, b, unused}, {nn::Dense(1)(sum), activated});
  CHECK(layer_names(model) ==
        "input_layer input_layer_1 dense dense_1 add input_layer_2 dense_2 activation");
  CHECK(model({ones({2, 4}), ones({2, 3}), ones({2, 2})}).size() == 2);
}

TEST_CASE("nn model: graphs that cannot be are refused") {
  nn::clear_session();
  const auto a = nn::Input({4}), b = nn::Input({4});
  const auto sum = nn::add({a, b});
  CHECK(error_of<ValueError>([&] { nn::Model(a, sum); }) ==
        "[model] the outputs need the input \"input_layer_1\", which is not among the inputs "
        "(input_layer)");
  CHECK(error_of<ValueError>([&] {
          nn::Model({a, a}, a);
        }) == "[model] the input \"input_layer\" is listed twice");
  const auto x = nn::Dense(1, {.name = "same"})(a);
  CHECK(error_of<ValueError>([&] { nn::Model(a, nn::Dense(1, {.name = "same"})(x)); }) ==
        "[model] two layers are called \"same\"");
  CHECK(error_of<ValueError>([&] { nn::Model(nn::SymbolicTensors{}, a); }) ==
        "[model] got 0 inputs and 1 outputs; expected at least one each");
}

TEST_CASE("nn model: get_layer by name and by index") {
  const nn::Model model = two_inputs();
  CHECK(model.get_layer("add").class_name() == "Add");
  CHECK(model.get_layer(2).name() == "add");
  CHECK(error_of<ValueError>([&] { model.get_layer("alpha"); }) ==
        "[functional] there is no layer \"alpha\"; the layers are input_layer, input_layer_1, add");
  CHECK(error_of<ValueError>([&] { model.get_layer(3); }) ==
        "[functional] there is no layer 3; the model has 3 layers");
}

TEST_CASE("nn model: inputs are cast, and a trailing axis of size 1 is dropped or added") {
  nn::clear_session();
  const auto image = nn::Input({2, 2});
  const nn::Model model(image, nn::Flatten()(image));
  const std::vector<float> expected{0, 1, 2, 3};
  CHECK(model(ramp({1, 2, 2}, 1, DType::uint8)).one().to_vector<float>() == expected);
  CHECK(model(ramp({1, 2, 2}, 1, DType::float64)).one().to_vector<float>() == expected);
  CHECK(model(ramp({1, 2, 2, 1})).one().to_vector<float>() == expected);
  const auto column = nn::Input({1});
  const nn::Model identity(column, nn::Activation("linear")(column));
  CHECK(identity(ramp({3})).one().shape() == Shape{3, 1});
  CHECK(model(zeros({0, 2, 2})).one().shape() == Shape{0, 4});
}

TEST_CASE("nn model: wrong inputs are refused, naming model, input and shapes") {
  const nn::Model model = two_inputs();
  CHECK(error_of<ShapeError>([&] {
          model({ramp({3, 2}), ramp({3, 4})});
        }) == "[functional] input 1 (input_layer_1) has shape (3, 4); expected (N, 2)");
  CHECK(error_of<ShapeError>([&] {
          model({ramp({3, 2}), ramp({4, 2})});
        }) == "[functional] input 1 (input_layer_1) has 4 samples; input 0 (input_layer) has 3");
  CHECK(error_of<ValueError>([&] {
          model({ramp({3, 2}), ramp({3, 2}), ramp({3, 2})});
        }) ==
        "[functional] got 3 inputs of shape (3, 2), (3, 2), (3, 2); expected 2: "
        "input_layer (N, 2), input_layer_1 (N, 2)");
  try {
    model(ramp({2, 3, 2}));
    FAIL("a stacked tensor was accepted");
  } catch (const ValueError& error) {
    CHECK(std::string(error.what()) ==
          "[functional] got 1 input of shape (2, 3, 2); expected 2: "
          "input_layer (N, 2), input_layer_1 (N, 2)");
    CHECK(error.hint() == "a stacked tensor is not split; pass a list of 2");
  }
}

TEST_CASE("nn model: get_weights copies, set_weights is all or nothing") {
  nn::clear_session();
  const auto a = nn::Input({2});
  nn::Model model(a, nn::Dense(1)(nn::Dense(2)(a)));
  const Tensors before = model.get_weights();
  REQUIRE(before.size() == 4);
  Tensors changed = before;
  for (Tensor& value : changed) value = value + 1;
  model.set_weights(changed);
  CHECK(model.get_weights()[2].to_vector<float>() == changed[2].to_vector<float>());
  CHECK(before[2].to_vector<float>() != changed[2].to_vector<float>());
  Tensors wrong = before;
  wrong[3] = zeros({2});
  CHECK(error_of<ShapeError>([&] { model.set_weights(wrong); }) ==
        "[functional] set_weights() got (2,) for weight 3 (dense/bias); expected (1,)");
  CHECK(model.get_weights()[0].to_vector<float>() == changed[0].to_vector<float>());
  wrong.pop_back();
  CHECK(error_of<ValueError>([&] { model.set_weights(wrong); }) ==
        "[functional] set_weights() got 3 tensors; the model has 4 weights");
}

TEST_CASE("nn model: penalties run over the trainable weights, in weight order") {
  const nn::Model model = example();
  const Tensors losses = model.losses();
  REQUIRE(losses.size() == 3);
  const auto alpha = model.get_layer("alpha").weights();
  for (std::size_t i = 0; i < 3; ++i) {
    double expected = 0;
    for (float w : alpha[i].variable.value().to_vector<float>())
      expected += 0.01 * static_cast<double>(w) * static_cast<double>(w);
    CHECK(losses[i].item() == doctest::Approx(expected).epsilon(1e-6));
  }
  model.get_layer("alpha").set_trainable(false);
  CHECK(model.losses().empty());
  CHECK(weight_paths(model.trainable_weights()) ==
        "dense/kernel dense/bias dense_1/kernel dense_1/bias dense_2/kernel dense_2/bias");
  CHECK(weight_paths(model.non_trainable_weights()) == "alpha/v alpha/w alpha/u");
}

TEST_CASE("nn model: a seed scope gives a model its own numbers") {
  const auto build = [](std::uint64_t seed) {
    const nn::SeedScope scope(seed);
    return example().get_weights()[0].to_vector<float>();
  };
  const auto first = build(1);
  nn::next_seed();
  CHECK(build(1) == first);
  CHECK(build(2) != first);
}

TEST_CASE("nn model: a trace with a symbolic number of samples runs for any number") {
  const nn::Model model = example();
  const Spec image{{symbolic_dim(2), 28, 28}, DType::float32};
  const Graph graph =
      trace([&](const Tensors& bag) { return model(bag).list(); }, {image, image, image});
  for (Dim samples : {0, 1, 5}) {
    const Tensor x = ramp({samples, 28, 28}, 1e-4);
    const Tensors bag{x, x * 2, x * -1};
    CHECK(graph.run(bag)[0].to_vector<float>() == model(bag).one().to_vector<float>());
  }
  CHECK(graph.to_string().find("# dense_1") != std::string::npos);
}

TEST_CASE("nn model: float64 throughout when asked for") {
  nn::set_floatx(DType::float64);
  const nn::Model model = example();
  nn::set_floatx(DType::float32);
  const Tensors bag{ramp({1, 28, 28}), ramp({1, 28, 28}), ramp({1, 28, 28})};
  CHECK(model(bag).one().dtype() == DType::float64);
  for (const nn::Weight& weight : model.weights()) CHECK(weight.variable.dtype() == DType::float64);
}
