// Random programs for the registry checks: the same seed composes the same function.
#pragma once

#include "tests/registry/program_checks.h"

#include <cstdint>

namespace milgrad::test {

/// A dozen operations of the registry on each other's results: their samples with what came before
/// as inputs, cut and reshaped to fit; variables that are read, assigned and read again, views of
/// them, dropout with its keys, gradients.
Subject random_composition(std::uint64_t seed);

/// A train step of a small network: a Dense layer shared by some instances, perhaps two Dense
/// layers on one input, gates, attention over the instances, a head, a loss, penalties and an
/// optimizer; perhaps a weight that is used twice, clipped gradients, gradients that are returned,
/// or weights that are read after their update.
Subject random_train_step(std::uint64_t seed);

}  // namespace milgrad::test
