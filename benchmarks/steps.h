// Benchmarks of whole train steps.
#pragma once

namespace milgrad::bench {

/// One step of fit(), a mean over whole epochs: mil_step/threads:N and mil_step_eager (the Keras
/// example at batch 1), second_model_step, digits_mlp_step, ensemble_step/MEMBERS/threads:N;
/// mil_step_compile, the first step of the example with its tracing and compiling; and
/// core_to_core, the round trip between two cores.
void register_steps();

}  // namespace milgrad::bench
