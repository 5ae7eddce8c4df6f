// Custom operations whose gradient comes from their reference, and their check.
#pragma once

#include "autograd/gradcheck.h"
#include "tensor/custom.h"

#include <functional>
#include <memory>

namespace milgrad {

/// The operation, ready for apply_custom(). If it has a reference but no vjp (and no reason
/// against one), its gradient becomes that of the reference, of any order.
/// Throws ValueError if it lacks a name or a shape rule.
std::shared_ptr<const CustomOp> make_custom_op(CustomOp op);

/// At every sample of the operation: the outputs against the shape rule and the reference, and the
/// gradient rule against central differences. Throws ValueError if it has no samples.
GradcheckResult gradcheck(const std::shared_ptr<const CustomOp>& op,
                          const GradcheckOptions& options = {});

/// A function made of operations whose gradient is `backward` instead of what follows from them: to
/// make it stable, cheaper, or other than the truth (JAX's custom_vjp, PyTorch's
/// autograd.Function). `backward` reads inputs v.in(i), outputs v.out(i) and cotangents v.g(i), and
/// gives one gradient per input, undefined for none; a cotangent is undefined if nothing read its
/// output; composed of operations, it can be
/// differentiated again. Tensors that `forward` captures get no gradient: pass them as inputs.
/// Throws ValueError if a function is empty, and inside of grad() if
/// `backward` gives another number of gradients.
std::function<Tensors(const Tensors&)> custom_vjp(std::function<Tensors(const Tensors&)> forward,
                                                  std::function<Tensors(const VjpArgs&)> backward);

}  // namespace milgrad
