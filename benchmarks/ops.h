// The benchmark families of milgrad_bench.
#pragma once

namespace milgrad::bench {

/// op/NAME for every row of the registry.
void register_ops();

}  // namespace milgrad::bench
