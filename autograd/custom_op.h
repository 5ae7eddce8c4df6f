// Custom operations whose gradient comes from their reference, and their check.
#pragma once

#include "autograd/gradcheck.h"
#include "tensor/custom.h"

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

}  // namespace milgrad
