// The small examples, run as their users run them; the expected figures come from the formulas.
#include "tests/support.h"

#include <cmath>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad::test {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// What the example printed; it must end well and without messages.
std::vector<std::string> run_example(const std::string& name) {
  const Outcome outcome = run({program(name).string()});
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err == "");
  return lines_of(outcome.out);
}

/// The numbers behind `word`, up to what is no number.
std::vector<double> numbers_after(const std::string& line, const std::string& word) {
  const std::size_t at = line.find(word);
  REQUIRE(at != std::string::npos);
  std::string rest = line.substr(at + word.size());
  for (char& c : rest)
    if (c == '[' || c == ']' || c == ',') c = ' ';
  std::istringstream stream(rest);
  return {std::istream_iterator<double>(stream), {}};
}

}  // namespace

TEST_CASE("examples: quickstart prints the gradient of its formula and learns the circle") {
  const auto lines = run_example("quickstart");
  REQUIRE(lines.size() == 22);
  double y = 0;
  std::vector<double> gradient;
  for (const double x : {0.5, 1.0, 2.0}) {
    y += x * std::tanh(x);
    gradient.push_back(std::tanh(x) + x / (std::cosh(x) * std::cosh(x)));
  }
  CHECK(numbers_after(lines[0], "y ").at(0) == doctest::Approx(y).epsilon(1e-7));
  const auto printed = numbers_after(lines[0], "dy/dx");
  REQUIRE(printed.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(printed[i] == doctest::Approx(gradient[i]).epsilon(1e-7));
  CHECK(lines[1] == "Epoch 1/10");
  CHECK(numbers_after(lines[20], "accuracy: ").at(0) > 0.95);
  const auto origin = numbers_after(lines[21], "of the origin");
  REQUIRE(origin.size() == 2);
  CHECK(origin[0] + origin[1] == doctest::Approx(1));
  CHECK(origin[1] > 0.99);
}

TEST_CASE("examples: the custom operation passes its check, has its values and serves a layer") {
  const auto lines = run_example("custom_op");
  REQUIRE(lines.size() > 2);
  CHECK(lines[0] == "gradcheck passed");
  // sqrt(2) - 1, 1, 2; y / sqrt(x^2 + 4)
  CHECK(lines[1] ==
        "squareplus [0.41421356,          1,          2], gradient [0.14644661,        0.5,        "
        "0.8]");
  CHECK(lines.at(lines.size() - 3) == " Total params: 16 (64.00 B)");
}

TEST_CASE("examples: the custom callback raises the learning rate and ends the training") {
  const auto lines = run_example("custom_callback");
  REQUIRE(lines.size() > 3);
  CHECK(lines.size() < 50);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double expected = i < 3 ? 0.1 * static_cast<double>(i + 1) / 3 : 0.1;
    CHECK(numbers_after(lines[i], "learning rate").at(0) == doctest::Approx(expected));
    CHECK((numbers_after(lines[i], "accuracy").at(0) >= 0.98) == (i + 1 == lines.size()));
  }
}

}  // namespace milgrad::test
