// Layers: weights, shapes, values, errors. Expected numbers: keras 3.15.1 on the same inputs.
#include "autograd/grad.h"
#include "nn/layers.h"
#include "nn/names.h"
#include "nn/seed.h"
#include "tests/nn_support.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;
using test::error_of;
using test::ramp;

namespace {

void check_values(const Tensor& x, const Shape& shape, const std::vector<double>& expected) {
  CHECK(x.shape() == shape);
  const auto values = x.to_vector<float>();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(static_cast<double>(values[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
}

/// A layer that misbehaves in the way asked for.
class OddLayer final : public nn::Layer {
 public:
  enum class Oddity { late_weight, twice, unnamed, reads_values, multiplies };
  explicit OddLayer(Oddity oddity) : Layer({.name = "odd"}), oddity_(oddity) {}
  std::string class_name() const override { return "OddLayer"; }

 protected:
  void build(const std::vector<Shape>&) override {
    if (oddity_ == Oddity::unnamed) add_weight({.name = "", .shape = {2}});
    if (oddity_ == Oddity::twice) {
      add_weight({.name = "w", .shape = {2}});
      add_weight({.name = "w", .shape = {2}});
    }
  }
  Tensors call(const Tensors& inputs, nn::Mode) override {
    if (oddity_ == Oddity::late_weight) add_weight({.name = "w", .shape = {2}});
    if (oddity_ == Oddity::reads_values) return {full({1}, inputs[0].data<float>()[0])};
    return {matmul(inputs[0], inputs[0])};
  }

 private:
  Oddity oddity_;
};

std::string odd_error(OddLayer::Oddity oddity) {
  return error_of<ValueError>([&] { nn::make_layer<OddLayer>(oddity)(ramp({2, 3})); });
}

/// Counts as trainable: b alone.
class MixedLayer final : public nn::Layer {
 public:
  std::string class_name() const override { return "MixedLayer"; }

 protected:
  void build(const std::vector<Shape>&) override {
    add_weight({.name = "a", .shape = {2}, .trainable = false});
    add_weight({.name = "b", .shape = {3}});
  }
  Tensors call(const Tensors& inputs, nn::Mode) override { return inputs; }
};

}  // namespace

TEST_CASE("nn layer: Dense computes activation(x K + b) for any rank") {
  const auto dense = nn::Dense(2, {.activation = "tanh"});
  dense(ramp({1, 3}));
  dense->weights()[0].variable.assign(ramp({3, 2}, 0.1) - 0.2);
  dense->weights()[1].variable.assign(tensor({0.5F, -0.25F}));
  check_values(dense(ramp({2, 3}, 0.5) - 1), {2, 2},
               {0.6043677926063538, -0.19737528264522552, 0.6043677926063538, 0.24491865932941437});
  check_values(dense(ramp({2, 2, 3}, 0.25) - 1), {2, 2, 2},
               {0.5370495915412903, -0.35835739970207214, 0.5370495915412903, -0.14888502657413483,
                0.5370495915412903, 0.07485970109701157, 0.5370495915412903, 0.2913126051425934});
}

TEST_CASE("nn layer: Dense builds kernel and bias once, with names, paths and regularizers") {
  nn::clear_session();
  const auto dense = nn::Dense(4, {.bias_initializer = "ones", .kernel_regularizer = nn::L2(0.5)});
  CHECK_FALSE(dense->built());
  CHECK(dense->count_params() == 0);
  dense(ramp({2, 3}));
  CHECK(dense->built());
  const auto weights = dense->weights();
  REQUIRE(weights.size() == 2);
  CHECK(weights[0].path == "dense/kernel");
  CHECK(weights[0].variable.shape() == Shape{3, 4});
  CHECK(weights[0].regularizer.name() == "l2");
  CHECK(weights[1].path == "dense/bias");
  CHECK(weights[1].variable.value().to_vector<float>() == std::vector<float>(4, 1));
  CHECK_FALSE(weights[1].regularizer);
  CHECK(dense->count_params() == 16);
  dense(ramp({5, 3}));
  CHECK(dense->weights()[0].variable == weights[0].variable);
  const auto without = nn::Dense(4, {.use_bias = false});
  without(ramp({2, 3}));
  CHECK(without->weights().size() == 1);
  CHECK(without->name() == "dense_1");
}

TEST_CASE("nn layer: a gradient reaches the weights") {
  const auto dense = nn::Dense(1, {.kernel_initializer = "ones"});
  const Tensor loss = sum(dense(ramp({2, 3})));
  const Tensor gradient = grad(loss, dense->weights()[0].variable.value());
  CHECK(gradient.to_vector<float>() == std::vector<float>{3, 5, 7});
}

TEST_CASE("nn layer: Dense refuses what does not fit, naming the layer") {
  const auto dense = nn::Dense(4, {.name = "encoder"});
  CHECK(error_of<ShapeError>([&] { dense(ramp({3})); }) ==
        "[encoder] got an input of shape (3,); expected (N, .., features)");
  dense(ramp({2, 3}));
  CHECK(error_of<ShapeError>([&] {
          dense(ramp({2, 5}));
        }) == "[encoder] got an input of shape (2, 5); expected a last axis of 3");
  CHECK(error_of<ValueError>([&] {
          dense({ramp({2, 3}), ramp({2, 3})});
        }) == "[encoder] got a list of 2 tensors; expected one");
  CHECK(error_of<ValueError>([] { nn::Dense(0); }) == "[Dense] got 0 units; expected at least 1");
  CHECK(error_of<ValueError>([] { nn::Dense(1, {.name = "a/b"}); }) ==
        "[layer] the name \"a/b\" has a \"/\" in it");
  CHECK(error_of<DTypeError>([] { nn::Dense(1, {.name = "d", .dtype = DType::int32}); }) ==
        "[layer] got dtype int32 for layer \"d\"; expected float32, float64");
}

TEST_CASE("nn layer: inputs are cast to the layer's dtype, which is floatx unless given") {
  const auto dense = nn::Dense(1, {.kernel_initializer = "ones"});
  CHECK(dense(ramp({2, 3}, 1, DType::uint8)).to_vector<float>() == std::vector<float>{3, 12});
  CHECK(dense(ramp({2, 3}, 1, DType::float64)).dtype() == DType::float32);
  const auto precise = nn::Dense(1, {.dtype = DType::float64});
  CHECK(precise(ramp({2, 3})).dtype() == DType::float64);
  nn::set_floatx(DType::float64);
  const auto by_default = nn::Dense(1);
  const auto input = nn::Input({3});
  nn::set_floatx(DType::float32);
  CHECK(by_default->dtype() == DType::float64);
  CHECK(input.dtype() == DType::float64);
  CHECK(error_of<DTypeError>([] { nn::set_floatx(DType::uint8); }) ==
        "[set_floatx] got uint8; expected float32, float64");
}

TEST_CASE("nn layer: Flatten and Reshape") {
  CHECK(nn::Flatten()(ramp({2, 2, 3})).shape() == Shape{2, 6});
  CHECK(nn::Flatten()(ramp({3})).shape() == Shape{3, 1});
  CHECK(nn::Flatten()(nn::Input({28, 28})).shape() == Shape{nn::batch_size_symbol(), 784});
  CHECK(nn::Reshape({2, -1})(ramp({2, 6})).shape() == Shape{2, 2, 3});
  CHECK(nn::Reshape({3, 2})(nn::Input({6})).shape() == Shape{nn::batch_size_symbol(), 3, 2});
  CHECK(nn::Reshape({2, 0})(zeros({5, 0})).shape() == Shape{5, 2, 0});
  CHECK(error_of<ShapeError>([] {
          nn::Reshape({4, -1}, {.name = "r"})(ramp({2, 6}));
        }) == "[r] got an input of shape (2, 6), 6 elements per sample, which do not fill (4, -1)");
  CHECK(error_of<ValueError>([] {
          nn::Reshape({-1, -1});
        }) == "[Reshape] got the target (-1, -1); expected sizes >= 0, at most one -1");
}

TEST_CASE("nn layer: Add and Multiply fold from the left and broadcast all but the samples") {
  check_values(nn::Add()({ramp({2, 3}), ramp({2, 1}, 10)}).one(), {2, 3},
               {0.0, 1.0, 2.0, 13.0, 14.0, 15.0});
  check_values(nn::Multiply()({ramp({2, 3}), ramp({2, 1}, 10), ramp({2, 2, 3})}).one(), {2, 2, 3},
               {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 180.0, 280.0, 400.0, 270.0, 400.0, 550.0});
  const auto multiply = nn::Multiply({.name = "m"});
  CHECK(error_of<ValueError>([&] {
          multiply(ramp({2, 3}));
        }) == "[m] got 1 tensor; expected a list of at least two");
  CHECK(error_of<ShapeError>([&] {
          multiply({ramp({1, 3}), ramp({2, 3})});
        }) == "[m] got shapes (1, 3) and (2, 3), which differ in the number of samples");
  CHECK(error_of<ShapeError>([&] {
          multiply({ramp({2, 3}), ramp({2, 4})});
        }) == "[m] called on (2, 3), (2, 4): [mul] shapes (2, 3) and (2, 4) do not broadcast");
}

TEST_CASE("nn layer: Concatenate joins along an axis") {
  check_values(nn::Concatenate()({ramp({2, 3}), ramp({2, 1}, 10)}).one(), {2, 4},
               {0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 10.0});
  const auto x = nn::Input({3, 4});
  CHECK(nn::concatenate({x, x}, {.axis = 1}).shape() == Shape{nn::batch_size_symbol(), 6, 4});
}

TEST_CASE("nn layer: Dropout acts while training only and keeps the mean") {
  const Tensor x = ones({100, 100});
  const auto dropout = nn::Dropout(0.25, {.seed = 5});
  CHECK(dropout(x).to_vector<float>() == x.to_vector<float>());
  const auto first = dropout(x, nn::Mode::train).to_vector<float>();
  int kept = 0;
  for (float value : first) {
    CHECK((value == 0.0F || value == doctest::Approx(4.0F / 3)));
    kept += value != 0 ? 1 : 0;
  }
  CHECK(kept == doctest::Approx(7500).epsilon(0.02));
  CHECK(dropout(x, nn::Mode::train).to_vector<float>() != first);
  CHECK(nn::Dropout(0.25, {.seed = 5})(x, nn::Mode::train).to_vector<float>() == first);
  CHECK(nn::Dropout(0)(x, nn::Mode::train).to_vector<float>() == x.to_vector<float>());
  CHECK(nn::Dropout(1)(x, nn::Mode::train).to_vector<float>() == std::vector<float>(10000, 0));
  CHECK(dropout->weights().empty());
  CHECK(error_of<ValueError>([] { nn::Dropout(1.5); }) ==
        "[Dropout] got the rate 1.5; expected a number in [0, 1]");
}

TEST_CASE("nn layer: a layer of one's own: list in, list out, weights in order of creation") {
  const auto alpha = nn::make_layer<test::AttentionLayer>(5, true, "");
  const nn::OneOrMany<Tensor> bag{ramp({2, 4}, 0.1), ramp({2, 4}, -0.2), ramp({2, 4}, 0.3)};
  const auto weights = alpha(bag);
  REQUIRE(weights.size() == 3);
  const auto total = (weights[0] + weights[1] + weights[2]).to_vector<float>();
  CHECK(total[0] == doctest::Approx(1.0F));
  CHECK(total[1] == doctest::Approx(1.0F));
  std::string names;
  for (const nn::Weight& weight : alpha->weights()) names += weight.name;
  CHECK(names == "vwu");
  const auto v = alpha->weights()[0].variable.value().to_vector<float>();
  CHECK(v != alpha->weights()[2].variable.value().to_vector<float>());
  CHECK(error_of<ValueError>([&] { const Tensor one = alpha(bag); }) ==
        "[nn] one tensor was expected, got a list of 3");
}

TEST_CASE("nn layer: trainable weights come first; a frozen layer has none") {
  const auto mixed = nn::make_layer<MixedLayer>();
  mixed(ramp({1}));
  CHECK(mixed->weights()[0].name == "b");
  CHECK(mixed->weights()[1].name == "a");
  CHECK(mixed->trainable_weights().size() == 1);
  CHECK(mixed->non_trainable_weights().size() == 1);
  CHECK(mixed->count_params() == 5);
  mixed->set_trainable(false);
  CHECK(mixed->trainable_weights().empty());
  CHECK(mixed->non_trainable_weights().size() == 2);
}

TEST_CASE("nn layer: mistakes in a layer of one's own are named") {
  using Oddity = OddLayer::Oddity;
  CHECK(odd_error(Oddity::late_weight) == "[odd] weight \"w\" was added outside of build()");
  CHECK(odd_error(Oddity::twice) == "[odd] there are two weights \"w\"");
  CHECK(odd_error(Oddity::unnamed) == "[odd] a weight has no name");
  CHECK(odd_error(Oddity::multiplies) ==
        "[odd] called on (2, 3): [matmul] inner sizes 3 and 2 of shapes (2, 3) and (2, 3) differ");
  const std::string message =
      error_of<TraceError>([] { nn::make_layer<OddLayer>(Oddity::reads_values)(nn::Input({})); });
  CHECK(message.find("layer odd") != std::string::npos);
}

TEST_CASE("nn layer: symbolic calls give shapes, dtypes and history") {
  const auto dense = nn::Dense(7, {.name = "shared"});
  const auto a = nn::Input({3}), b = nn::Input({3});
  const auto x = dense(a);
  const auto y = dense(b);
  CHECK(x.shape() == Shape{nn::batch_size_symbol(), 7});
  CHECK(x.dtype() == DType::float32);
  CHECK(x.node_index() == 0);
  CHECK(y.node_index() == 1);
  CHECK(&y.layer() == &*dense);
  CHECK(dense->input().one() == a);
  CHECK(dense->output().one() == x);
  CHECK(dense->calls().size() == 2);
  CHECK(error_of<ShapeError>([&] { dense(nn::Input({4})); }) ==
        "[shared] got an input of shape (N, 4); expected a last axis of 3");
  const auto unused = nn::Dense(1, {.name = "unused"});
  CHECK(error_of<ValueError>([&] { unused->output(); }) ==
        "[unused] the layer has no call on symbolic tensors");
  CHECK(error_of<ShapeError>([] {
          nn::Input({-1, 3});
        }) == "[Input] got the shape (-1, 3); expected sizes >= 0");
}

TEST_CASE("nn regularizers: values are Keras's, factors are checked") {
  const Tensor w = ramp({2, 3}) - 2;
  CHECK(nn::L1L2({.l1 = 0.1, .l2 = 0.2})(w).item() == doctest::Approx(4.699999809265137));
  CHECK(nn::Regularizer("l1")(w).item() == doctest::Approx(0.08999999612569809));
  CHECK(nn::Regularizer("l2")(w).item() == doctest::Approx(0.1899999976158142));
  CHECK(error_of<ValueError>([] { nn::L2(-0.5); }) ==
        "[L2] got the factor -0.5; expected a finite number >= 0");
  CHECK(error_of<ValueError>([] { nn::L1(std::numeric_limits<double>::quiet_NaN()); }) ==
        "[L1] got the factor nan; expected a finite number >= 0");
  CHECK(error_of<ValueError>([] { nn::Regularizer("l3"); }) ==
        "[regularizer] there is no \"l3\"; did you mean \"l1\"?");
  const nn::Regularizer odd("odd", [](const Tensor& x) { return x; });
  CHECK(error_of<ShapeError>([&] { odd(w); }) ==
        "[odd] the penalty on a weight (2, 3) has shape (2, 3); expected a scalar");
  CHECK_FALSE(nn::Regularizer());
}
