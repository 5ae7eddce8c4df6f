// What the definitions of the elementwise operations share: shape rules, samples, defaults.
#pragma once

#include "tensor/operators.h"
#include "tensor/ops/definitions.h"

namespace milgrad {

/// One input of floating dtype (or signed, or numeric, or bool), an output like it.
std::vector<Spec> infer_unary_floating(const InferArgs& args);
std::vector<Spec> infer_unary_signed(const InferArgs& args);
std::vector<Spec> infer_unary_numeric(const InferArgs& args);
std::vector<Spec> infer_unary_boolean(const InferArgs& args);

/// Two inputs of the same dtype that broadcast, an output of that dtype.
std::vector<Spec> infer_binary_floating(const InferArgs& args);
std::vector<Spec> infer_binary_numeric(const InferArgs& args);
std::vector<Spec> infer_binary_boolean(const InferArgs& args);

using Domain = SampleInput::Domain;

template <Domain domain>
std::vector<Sample> unary_samples() {
  return {{.inputs = {{{2, 3}, domain}}}, {.inputs = {{{1, 5}, domain}}}};
}
std::vector<BadSample> floating_bad_samples();
std::vector<BadSample> numeric_bad_samples();
std::vector<BadSample> boolean_bad_samples();

template <Domain domain>
std::vector<Sample> binary_samples() {
  return {{.inputs = {{{2, 3}, domain}, {{2, 3}, domain}}},
          {.inputs = {{{2, 1, 4}, domain}, {{3, 1}, domain}}},
          {.inputs = {{{}, domain}, {{3}, domain}}}};
}
std::vector<BadSample> binary_bad_samples();
std::vector<BadSample> binary_boolean_bad_samples();

/// What differs between operations of one floating input.
struct UnaryOp {
  Required<const char*> name;
  Required<const char*> doc;
  Required<Vjp> vjp;
  Required<Saves> saves;
  std::vector<Sample> (*samples)() = unary_samples<Domain::normal>;
  CostRule cost = streaming_cost<1>;
};
constexpr OpDef unary(const UnaryOp& op) {
  return {.name = op.name.value,
          .doc = op.doc.value,
          .dtypes = kFloating,
          .infer = infer_unary_floating,
          .vjp = op.vjp.value,
          .saves = op.saves.value,
          .samples = op.samples,
          .bad_samples = floating_bad_samples,
          .cost = op.cost,
          .in_place = true};
}

/// What differs between operations of two numeric inputs that broadcast.
struct BinaryOp {
  Required<const char*> name;
  Required<const char*> doc;
  Required<Vjp> vjp;
  Required<Saves> saves;
  std::vector<Sample> (*samples)() = binary_samples<Domain::normal>;
  DTypes dtypes = kNumeric;
  InferRule infer = infer_binary_numeric;
  CostRule cost = streaming_cost<1>;
};
constexpr OpDef binary(const BinaryOp& op) {
  return {.name = op.name.value,
          .doc = op.doc.value,
          .dtypes = op.dtypes,
          .infer = op.infer,
          .vjp = op.vjp.value,
          .saves = op.saves.value,
          .samples = op.samples,
          .bad_samples = binary_bad_samples,
          .cost = op.cost,
          .in_place = true};
}

/// The gradient of something that is constant almost everywhere: zero.
inline constexpr Vjp kZeroGradient =
    differentiable([](const VjpArgs&) { return Tensors{Tensor()}; });

}  // namespace milgrad
