// The commands. Each takes its resolved options, writes through the console and throws on failure;
// what it returns is the exit code.
#pragma once

#include "examples/mil/console.h"
#include "examples/mil/options.h"
#include "examples/mil/report.h"

namespace mil {

ExitCode run_command(const FetchOptions& options, Console& console);
ExitCode run_command(const InspectOptions& options, Console& console);
ExitCode run_command(const TrainOptions& options, Console& console);
ExitCode run_command(const PredictOptions& options, Console& console);
ExitCode run_command(const EvaluateOptions& options, Console& console);
ExitCode run_command(const PlotOptions& options, Console& console);
ExitCode run_command(const SummaryOptions& options, Console& console);
ExitCode run_command(const InfoOptions& options, Console& console);

}  // namespace mil
