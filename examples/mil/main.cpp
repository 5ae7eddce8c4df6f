// The program mil.
#include "examples/mil/cli.h"
#include "examples/mil/program.h"
#include "examples/mil/report.h"
#include "examples/mil/signals.h"

#include <cstdlib>
#include <exception>

int main(int argc, char** argv) {
  mil::set_up_signals();
  // An exception on another thread ends here instead of in abort().
  std::set_terminate([] { mil::report_and_exit(); });
  const int status = mil::run_program({argv + 1, argv + argc}, mil::process_environment());
  // Without memory a helper thread of OpenBLAS may spin for ever, and exit() would wait for it.
  if (status == static_cast<int>(mil::ExitCode::no_memory)) std::_Exit(status);
  return status;
}
