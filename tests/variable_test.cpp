// Variables: fixed memory, one leaf of the tape, assignment, identity.
#include "tensor/variable.h"

#include "tensor/node.h"
#include "tensor/ops.h"

#include <doctest/doctest.h>

using namespace milgrad;

TEST_CASE("variable: assign writes into the memory that earlier reads see") {
  const Variable v(tensor({1.0f, 2.0f}), {.name = "kernel"});
  const Tensor read = v;
  const Tensor kept = copy(v);
  const std::byte* address = v.value().raw_data();
  v.assign(tensor({3.0f, 4.0f}));
  CHECK(v.name() == "kernel");
  CHECK(v.value().raw_data() == address);
  CHECK(read.to_vector<float>() == std::vector<float>{3, 4});
  CHECK(kept.to_vector<float>() == std::vector<float>{1, 2});
}

TEST_CASE("variable: the initial tensor is copied") {
  const Tensor initial = tensor({1.0f, 2.0f});
  const Variable v(initial);
  v.assign(tensor({5.0f, 6.0f}));
  CHECK(initial.to_vector<float>() == std::vector<float>{1, 2});
}

TEST_CASE("variable: one leaf while trainable and floating, none otherwise") {
  Variable v(tensor({1.0f}));
  CHECK(v.value().requires_grad());
  CHECK(v.value().edge() == Variable(v).value().edge());
  v.assign(tensor({2.0f}));
  const Edge edge = v.value().edge();
  v.set_trainable(false);
  CHECK_FALSE(v.value().requires_grad());
  v.set_trainable(true);
  CHECK(v.value().edge() == edge);
  CHECK_FALSE(Variable(tensor({1.0f}), {.trainable = false}).value().requires_grad());
  CHECK_FALSE(Variable(tensor({std::int64_t{1}})).value().requires_grad());
}

TEST_CASE("variable: a value of another shape or dtype is refused and changes nothing") {
  const Variable v(tensor({1.0f, 2.0f}));
  CHECK_THROWS_WITH_AS(v.assign(tensor({1.0f, 2.0f, 3.0f})),
                       "[assign] a value float32 (3,) for a variable float32 (2,)", ShapeError);
  CHECK_THROWS_WITH_AS(v.assign(tensor({1.0, 2.0})),
                       "[assign] a value float64 (2,) for a variable float32 (2,)", ValueError);
  CHECK(v.value().to_vector<float>() == std::vector<float>{1, 2});
}

TEST_CASE("variable: assign raises the version that saved values are checked against") {
  const Variable v(tensor({2.0f}));
  const Tensor y = mul(v, v);
  const SavedTensor& saved = y.edge().node->saved_inputs[0];
  CHECK(saved.restore({}, "mul").item() == 2);
  v.assign(tensor({3.0f}));
  CHECK_THROWS_AS(saved.restore({}, "mul"), GradientError);
}

TEST_CASE("variable: equality is identity") {
  const Variable a(tensor({1.0f})), b(tensor({1.0f})), same = a;
  CHECK(a == same);
  CHECK_FALSE(a == b);
}

TEST_CASE("variable: an undefined variable says so") {
  CHECK_THROWS_WITH_AS(Variable().value(), "[variable] the variable is undefined", ValueError);
}
