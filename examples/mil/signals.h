// What mil does with signals: training ends in order at the first SIGINT or SIGTERM, at once at the
// second; a full disk or a closed pipe never looks like a crash.
#pragma once

namespace mil {

/// SIGXFSZ is ignored, so that a size limit arrives as the write error EFBIG; SIGPIPE ends the
/// program quietly, also where the parent process ignored it. For every command.
void set_up_signals();

/// From now on the first SIGINT or SIGTERM only sets stop_signal(); the second ends the program
/// with 128 + its number. A signal that the parent process ignored stays ignored. For training,
/// which polls stop_signal() after each step and keeps the best weights and the history.
void catch_stop_signals();

/// 0, or the signal that asked training to stop.
int stop_signal() noexcept;

}  // namespace mil
