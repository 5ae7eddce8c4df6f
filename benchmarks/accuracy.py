#!/usr/bin/env python3
"""Trains the attention-MIL example with several seeds, as it is and varied, as Markdown tables.

Variants: the default, no L2 penalty on the attention (--l2 0), and ensembles of five. A gap is
validation accuracy minus accuracy on the untouched set, in points; accuracies are those of the
averaged predictions.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = {"default": [], "`--l2 0`": ["--l2", "0"], "`--ensemble 5`": ["--ensemble", "5"]}
COLUMNS = {
    "validation accuracy": lambda m: m["validation"]["ensemble"]["accuracy"],
    "untouched accuracy": lambda m: m["test"]["ensemble"]["accuracy"],
    "gap": lambda m: 100 * (m["validation"]["ensemble"]["accuracy"]
                            - m["test"]["ensemble"]["accuracy"]),
    "untouched loss": lambda m: m["test"]["ensemble"]["loss"],
    "key_hit_rate": lambda m: m["attention"]["key_hit_rate"],
    "largest weight, positive": lambda m: m["attention"]["mean_largest_weight"]["positive"],
    "largest weight, negative": lambda m: m["attention"]["mean_largest_weight"]["negative"],
    "error of sums": lambda m: m["attention"]["largest_sum_error"],
}


def train(seed, flags, options):
    """metrics.json of one run."""
    command = [ROOT / "build/mil", "train", "--seed", str(seed), *flags, "--quiet"]
    if options.data_dir:
        command += ["--data-dir", options.data_dir]
    variables = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    with tempfile.TemporaryDirectory(prefix="milgrad-accuracy-") as folder:
        subprocess.run([*command, "--out", folder], check=True, stdout=subprocess.DEVNULL,
                       env=variables)
        return json.loads((Path(folder) / "metrics.json").read_text())


def row(name, values):
    cells = [f"{value:.1e}" if column == "error of sums" else f"{value:.{2 if column == 'gap' else 4}f}"
             for column, value in zip(COLUMNS, values)]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 (default: 5)")
    parser.add_argument("--data-dir", help="folder of the IDX files, instead of the user's cache")
    options = parser.parse_args()
    for name, flags in VARIANTS.items():
        print(f"\n| {name}, seed | {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * len(COLUMNS)}")
        table = []
        for seed in range(options.seeds):
            metrics = train(seed, flags, options)
            table.append([figure(metrics) for figure in COLUMNS.values()])
            row(seed, table[-1])
        row("median", [statistics.median(column) for column in zip(*table)])


if __name__ == "__main__":
    sys.exit(main())
