// Benchmarks of whole train steps.
#pragma once

namespace milgrad::bench {

/// mil_step_eager/threads:N: one step of the Keras example at batch 1, a mean over whole epochs.
void register_steps();

}  // namespace milgrad::bench
