#!/usr/bin/env python3
"""Train steps with each pass turned off, and with all of them, as a Markdown table.

Every measurement is a process of its own with MILGRAD_PASSES set; a round runs each of them once,
so that a machine that grows slower or faster meanwhile does so for all.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ["mil_step/threads:1", "second_model_step/threads:1", "digits_mlp_step/threads:1"]
MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3}


def passes():
    """The names of the rows of passes.def, in their order."""
    text = (ROOT / "autograd/passes/passes.def").read_text()
    return [line.split("(")[1].split(",")[0] for line in text.splitlines()
            if line.startswith("PASS(")]


def measure(bench, setting):
    """Microseconds of each step."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    environment["MILGRAD_PASSES"] = setting
    done = subprocess.run([bench, f"--benchmark_filter=^({'|'.join(STEPS)})$",
                           "--benchmark_format=json"],
                          env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"ablation.py: error: MILGRAD_PASSES={setting}: {done.stderr.strip()}")
    rows = json.loads(done.stdout[done.stdout.index("{"):])["benchmarks"]
    return {row["name"]: row["real_time"] * MICROSECONDS[row["time_unit"]] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bench", type=Path, default=ROOT / "build/milgrad_bench")
    options = parser.parse_args()
    if not options.bench.exists():
        sys.exit(f"ablation.py: error: {options.bench} is not built; "
                 "run: ninja -C build milgrad_bench")
    settings = {"all passes": "", "no pass": "none"}
    settings |= {f"without `{name}`": f"-{name}" for name in passes()}
    figures = {row: [] for row in settings}
    for number in range(options.rounds):
        for row, setting in settings.items():
            print(f"round {number + 1}: {row}", file=sys.stderr)
            figures[row].append(measure(options.bench, setting))
    middle = {row: {step: statistics.median(one[step] for one in ones) for step in STEPS}
              for row, ones in figures.items()}
    print("| us a step | " + " | ".join(step.split("/")[0] for step in STEPS) + " |")
    print("| --- |" + " ---: |" * len(STEPS))
    for row, steps in middle.items():
        cells = [f"{us:.1f} ({us / middle['all passes'][step]:.2f})" for step, us in steps.items()]
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
