// The benchmark families of milgrad_bench.
#pragma once

namespace milgrad::bench {

/// op/NAME for every row of the registry.
void register_ops();
/// dense/KxN/rows:M/threads:T and dense_update/..
void register_dense();

}  // namespace milgrad::bench
