// Tracing: a function of tensors becomes a flat list of operations.
#pragma once

#include "autograd/graph.h"

#include <functional>

namespace milgrad {

/// Calls f once with traced tensors of these specs and returns what it did. Nothing is computed and
/// no variable changes. A leading size may be symbolic (symbolic_dim). Reading a value on the host
/// inside f throws TraceError.
Graph trace(const std::function<Tensors(const Tensors&)>& f, const std::vector<Spec>& inputs);

}  // namespace milgrad
