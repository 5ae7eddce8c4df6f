// Benchmarks of kernels at tiny sizes and of chains.
#pragma once

namespace milgrad::bench {

/// small/OP/N: the bound kernel of an operation over N elements, as a program calls it.
/// chain/N: seven elementwise operations in one kernel; chain_op_by_op/N: the same one by one.
void register_small();

}  // namespace milgrad::bench
