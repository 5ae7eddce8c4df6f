// Benchmarks of a train step on bags of the size of a pathology slide.
#pragma once

namespace milgrad::bench {

/// pathology_step/INSTANCES/threads:N, and pathology_step_eager: operation by operation; and
/// size_stream/BAGS: steps of a compiled function on bags of as many sizes, beside bags of one.
void register_pathology();

}  // namespace milgrad::bench
