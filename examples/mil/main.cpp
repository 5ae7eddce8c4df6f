// The program mil.
#include "examples/mil/cli.h"
#include "examples/mil/program.h"
#include "examples/mil/signals.h"

#include <exception>

int main(int argc, char** argv) {
  mil::set_up_signals();
  // An exception on another thread ends here instead of in abort().
  std::set_terminate([] { mil::report_and_exit(); });
  return mil::run_program({argv + 1, argv + argc}, mil::process_environment());
}
