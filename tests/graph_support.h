// What the tests of graphs and of passes share.
#pragma once

#include "autograd/gradcheck.h"
#include "autograd/graph.h"
#include "tests/registry/sample_tensors.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace milgrad::test {

using Names = std::vector<std::string>;

/// The graph's operations, in order.
inline Names operation_names(const Graph& graph) {
  Names names;
  for (const Graph::Operation& operation : graph.operations) names.push_back(name_of(operation.op));
  return names;
}

/// The graph gives what the function gives, to within `tolerance` of largest_difference().
inline void check_gives_the_same(const Graph& graph, const TensorFunction& f,
                                 const Tensors& arguments, double tolerance) {
  CAPTURE(graph.to_string());
  const Tensors expected = f(arguments), actual = graph.run(arguments);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(largest_difference(actual[i], expected[i]) <= tolerance);
  }
}

}  // namespace milgrad::test
