// Activation functions by name. Expected values: keras 3.15.1 (numpy backend) at the same points.
#include "nn/activations.h"
#include "tests/nn_support.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;
using test::error_of;

namespace {

struct Case {
  const char* name;
  std::vector<double> expected;
};

const std::vector<float> kPoints{-3.5F, -1.0F, -0.25F, 0.0F, 0.5F, 2.0F, 7.0F};

const std::vector<Case> kCases{
    {"linear", {-3.5, -1.0, -0.25, 0.0, 0.5, 2.0, 7.0}},
    {"elu", {-0.9698026180267334, -0.6321205496788025, -0.22119921445846558, 0.0, 0.5, 2.0, 7.0}},
    {"exponential",
     {0.03019738383591175, 0.3678794205188751, 0.7788007259368896, 1.0, 1.6487212181091309,
      7.3890557289123535, 1096.6331787109375}},
    {"gelu",
     {-0.0008142292499542236, -0.15865525603294373, -0.10032341629266739, 0.0, 0.3457312285900116,
      1.9544997215270996, 7.0}},
    {"hard_sigmoid",
     {0.0, 0.33333333333333337, 0.4583333333333333, 0.5, 0.5833333333333334, 0.8333333333333333,
      1.0}},
    {"hard_silu",
     {-0.0, -0.3333333134651184, -0.1145833358168602, 0.0, 0.2916666567325592, 1.6666667461395264,
      7.0}},
    {"hard_swish",
     {-0.0, -0.3333333134651184, -0.1145833358168602, 0.0, 0.2916666567325592, 1.6666667461395264,
      7.0}},
    {"hard_tanh", {-1.0, -1.0, -0.25, 0.0, 0.5, 1.0, 1.0}},
    {"leaky_relu",
     {-0.699999988079071, -0.20000000298023224, -0.05000000074505806, 0.0, 0.5, 2.0, 7.0}},
    {"log_sigmoid",
     {-3.529750347137451, -1.3132617473602295, -0.825939416885376, -0.6931471824645996,
      -0.4740769863128662, -0.12692800164222717, -0.000911466486286372}},
    {"log_softmax",
     {-10.510174505351625, -8.010174505351625, -7.260174505351626, -7.010174505351626,
      -6.510174505351626, -5.010174505351626, -0.010174505351625434}},
    {"mish",
     {-0.10409574955701828, -0.30340147018432617, -0.12992696464061737, 0.0, 0.37524518370628357,
      1.9439588785171509, 6.999988555908203}},
    {"relu", {0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 7.0}},
    {"relu6", {0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 6.0}},
    {"selu",
     {-1.7050093412399292, -1.1113307476043701, -0.38889017701148987, 0.0, 0.5253505110740662,
      2.1014020442962646, 7.354907035827637}},
    {"sigmoid",
     {0.02931223064661026, 0.26894140243530273, 0.43782344460487366, 0.5, 0.622459352016449,
      0.8807970285415649, 0.9990890026092529}},
    {"silu",
     {-0.10259281098842621, -0.26894140243530273, -0.10945586115121841, 0.0, 0.3112296760082245,
      1.7615940570831299, 6.993622779846191}},
    {"softmax",
     {2.7257700071172653e-05, 0.00033206676649972746, 0.0007029853501964401, 0.000902651057211362,
      0.0014882199980443308, 0.0066697392994938135, 0.9898770798284832}},
    {"softplus",
     {0.029750417917966843, 0.3132616877555847, 0.575939416885376, 0.6931471824645996,
      0.9740769863128662, 2.1269280910491943, 7.000911235809326}},
    {"softsign",
     {-0.7777777910232544, -0.5, -0.20000000298023224, 0.0, 0.3333333432674408, 0.6666666865348816,
      0.875}},
    {"swish",
     {-0.10259281098842621, -0.26894140243530273, -0.10945586115121841, 0.0, 0.3112296760082245,
      1.7615940570831299, 6.993622779846191}},
    {"tanh",
     {-0.9981778860092163, -0.7615941762924194, -0.24491865932941437, 0.0, 0.46211719512939453,
      0.9640275835990906, 0.9999983310699463}},
};

}  // namespace

TEST_CASE("nn activations: values are Keras's") {
  const Tensor x = tensor(kPoints, {1, 7});
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    const auto values = nn::ActivationFunction(c.name)(x).to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i)
      CHECK(static_cast<double>(values[i]) ==
            doctest::Approx(c.expected[i]).epsilon(2e-6).scale(0.01));
  }
}

TEST_CASE("nn activations: every name is covered, linear is the identity") {
  for (const std::string& name : nn::activation_names())
    CHECK_MESSAGE(
        std::any_of(kCases.begin(), kCases.end(), [&](const Case& c) { return name == c.name; }),
        name);
  CHECK(nn::ActivationFunction().is_linear());
  CHECK(nn::ActivationFunction("linear").name() == "linear");
}

TEST_CASE("nn activations: functions of one's own, and unknown names") {
  const nn::ActivationFunction twice("twice", [](const Tensor& x) { return x * 2; });
  CHECK(twice(tensor({1.5F})).to_vector<float>() == std::vector<float>{3});
  CHECK(error_of<ValueError>([] { nn::ActivationFunction("rleu"); }) ==
        "[activation] there is no \"rleu\"; did you mean \"relu\"?");
}

TEST_CASE("activations: one without a function is refused") {
  CHECK_THROWS_WITH_AS(nn::ActivationFunction("mine", nn::ActivationFunction::Function()),
                       "[activation] \"mine\" has no function", ValueError);
}
