#!/usr/bin/env python3
"""Times the attention-MIL example in milgrad and in its peers, interleaved, as Markdown tables.

Every measurement is a process of its own; a round runs each of them once, so that a machine that
grows slower or faster meanwhile does so for all. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset.
A peer that is not installed in --python is skipped.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKERS = ROOT / "benchmarks/peers"
BENCH, MIL = ROOT / "build/milgrad_bench", ROOT / "build/mil"
MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3}


class Absent(Exception):
    """Why a measurement cannot be made here."""


def environment(options, **extra):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    return variables | {"MILGRAD_TEST_DATA": str(options.data), "TF_CPP_MIN_LOG_LEVEL": "3"} | extra


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Absent((done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout


def own_step(name, counter=None):
    """Microseconds of one benchmark of milgrad_bench, or one of its counters."""

    def measure(options):
        if not BENCH.exists():
            raise Absent(f"{BENCH} is not built")
        text = run([BENCH, f"--benchmark_filter=^{name}$", "--benchmark_format=json"],
                   env=environment(options))
        rows = json.loads(text[text.index("{"):])["benchmarks"]
        if not rows:
            raise Absent(f"milgrad_bench has no {name}")
        if counter is not None:
            return rows[0][counter]
        return rows[0]["real_time"] * MICROSECONDS[rows[0]["time_unit"]]

    return measure


def worker(script, *arguments, **variables):
    """A measurement by a script of benchmarks/peers, whose last line is the figure."""

    def measure(options):
        text = run([options.python, WORKERS / script, *arguments],
                   env=environment(options, **variables), cwd=options.scratch)
        return float(text.split()[-1])

    return measure


def timed(make_command, **variables):
    """Seconds from start to end of a command."""

    def measure(options):
        command = make_command(options)
        start = time.perf_counter()
        run(command, env=environment(options, **variables), cwd=options.scratch)
        return time.perf_counter() - start

    return measure


def own_job(options):
    if not MIL.exists():
        raise Absent(f"{MIL} is not built")
    return [MIL, "train", "--dataset", "mnist", "--data-dir", options.data / "mnist",
            "--no-early-stopping", "--out", Path(options.scratch) / "run"]


def keras_job(backend):
    return timed(lambda options: [options.python, WORKERS / "keras_job.py", "job"],
                 KERAS_BACKEND=backend)


def keras_step(backend):
    return worker("keras_job.py", "step", KERAS_BACKEND=backend)


STEPS = {
    "milgrad, 1 thread": own_step("mil_step/threads:1"),
    "milgrad, 2 threads": own_step("mil_step/threads:2"),
    "milgrad, 16 models side by side, 2 threads, a model": own_step(
        "ensemble_step/16/threads:2", "us_per_model_step"),
    "milgrad, run_eagerly": own_step("mil_step_eager/threads:1"),
    "JAX, whole-epoch scan": worker("jax_step.py", "scan"),
    "JAX, jitted step": worker("jax_step.py", "jit"),
    "PyTorch, eager, 1 thread": worker("torch_step.py", "eager", "1"),
    "PyTorch, eager, 2 threads": worker("torch_step.py", "eager", "2"),
    "PyTorch, torch.compile": worker("torch_step.py", "compiled", "1"),
    "Keras on JAX, fit()": keras_step("jax"),
    "Keras on TensorFlow, fit()": keras_step("tensorflow"),
    "Keras on PyTorch, fit()": keras_step("torch"),
}
SECOND = {
    "milgrad, 1 thread": own_step("second_model_step/threads:1"),
    "JAX, whole-epoch scan": worker("more_models.py", "second", "jax"),
    "PyTorch, eager, 1 thread": worker("more_models.py", "second", "torch"),
}
MLP = {
    "milgrad, 1 thread": own_step("digits_mlp_step/threads:1"),
    "JAX, whole-epoch scan": worker("more_models.py", "mlp", "jax"),
    "PyTorch, eager, 1 thread": worker("more_models.py", "mlp", "torch"),
}
PATHOLOGY = {
    "milgrad": own_step("pathology_step/10000/threads:2"),
    "milgrad, operation by operation": own_step("pathology_step_eager/10000/threads:2"),
    "JAX": worker("more_models.py", "pathology", "jax"),
    "PyTorch, eager": worker("more_models.py", "pathology", "torch"),
    "PyTorch, torch.compile": worker("more_models.py", "pathology", "torch.compile"),
}
JOBS = {
    "milgrad, mil train --no-early-stopping": timed(own_job),
    "Keras on JAX": keras_job("jax"),
    "Keras on TensorFlow": keras_job("tensorflow"),
}


def measure_all(measurements, options):
    """Name to figures, one per round; what cannot be measured is named once and left out."""
    figures = {name: [] for name in measurements}
    for number in range(options.rounds):
        for name in list(figures):
            print(f"round {number + 1}: {name}", file=sys.stderr)
            try:
                figures[name].append(measurements[name](options))
            except Absent as why:
                print(f"SKIP {name}: {why}", file=sys.stderr)
                del figures[name]
    return figures


def print_table(title, unit, figures, digits):
    """The first row is ours where it was measured; ratios are to it."""
    own = statistics.median(next(iter(figures.values()), [float("nan")]))
    own_name = next(iter(figures), "")
    print(f"\n| {title} | median, {unit} | lowest | highest | times {own_name.split(',')[0]} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, values in figures.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.{digits}f} | {min(values):.{digits}f} | {max(values):.{digits}f}"
              f" | {middle / own:.2f} |")


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def default_data():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "milgrad"


def parse():
    venv = ROOT / ".venv/bin/python"
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", type=Path, default=venv if venv.exists() else sys.executable,
                        help="the Python in which the peers are installed (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=default_data(),
                        help="folder that holds mnist/ with the IDX files (default: %(default)s)")
    parser.add_argument("--no-jobs", action="store_true", help="time the train step only")
    return parser.parse_args()


def main():
    options = parse()
    options.data = options.data.resolve()
    if not (options.data / "mnist").is_dir():
        sys.exit(f"peers.py: error: {options.data}/mnist does not exist; run: mil data fetch mnist")
    with tempfile.TemporaryDirectory(prefix="milgrad-peers-") as options.scratch:
        steps = measure_all(STEPS, options)
        second, mlp = measure_all(SECOND, options), measure_all(MLP, options)
        pathology = measure_all(PATHOLOGY, options)
        jobs = {} if options.no_jobs else measure_all(JOBS, options)
    print(f"{processor()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
          f"{options.rounds} rounds interleaved")
    print_table("train step, one bag of three digits", "us", steps, digits=1)
    print_table("train step, one bag of five times 500", "us", second, digits=1)
    print_table("train step, 32 digits, Dense 128 and 10", "us", mlp, digits=1)
    print_table("train step, one bag of 10,000 instances, all cores", "us", pathology, digits=0)
    if jobs:
        print_table("whole job, 20 epochs, from start to end", "s", jobs, digits=2)


if __name__ == "__main__":
    main()
