// Signal handlers.
#include "examples/mil/signals.h"

#include <csignal>
#include <initializer_list>

#include <unistd.h>

namespace mil {
namespace {

volatile std::sig_atomic_t requested_stop = 0;

extern "C" void on_stop_signal(int signal) {
  if (requested_stop != 0) _exit(128 + signal);
  requested_stop = signal;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void set_up_signals() {
  handle(SIGXFSZ, SIG_IGN);
  handle(SIGPIPE, SIG_DFL);
}

void catch_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) handle(signal, on_stop_signal);
  }
}

int stop_signal() noexcept { return requested_stop; }

}  // namespace mil
