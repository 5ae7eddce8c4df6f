// Benchmarks of a train step on bags of the size of a pathology slide.
#pragma once

namespace milgrad::bench {

/// pathology_step/INSTANCES/threads:N, and pathology_step_eager: operation by operation.
void register_pathology();

}  // namespace milgrad::bench
