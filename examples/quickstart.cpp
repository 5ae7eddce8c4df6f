// A formula and its gradient; then a model that learns which points lie inside of a circle.
#include "milgrad.h"

#include <iostream>

using namespace milgrad;

int main() {
  const Tensor x = requires_grad(tensor({0.5, 1.0, 2.0}));
  const Tensor y = sum(x * tanh(x));
  std::cout << "y " << y << ", dy/dx " << grad(y, x) << '\n';

  nn::set_random_seed(1);
  const Tensor points = random_uniform(RandomGenerator(1).next_key(), {2000, 2}, {.low = -1});
  const Tensor inside = cast(less(sum(square(points), {1}), 0.5), DType::int64);

  const nn::SymbolicTensor input = nn::Input({2});
  const nn::SymbolicTensor hidden = nn::Dense(32, {.activation = "relu"})(input);
  nn::Model model(input, nn::Dense(2, {.activation = "softmax"})(hidden));
  model.compile({.optimizer = nn::Adam({.learning_rate = 0.01}),
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = {"accuracy"}});
  model.fit(points, inside, {.epochs = 10, .verbose = 2});
  std::cout << "p(outside), p(inside) of the origin " << model.predict(zeros({1, 2})).one() << '\n';
}
