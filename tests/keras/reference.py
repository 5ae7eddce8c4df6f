"""The folders that the tests compare: Keras's numbers, made once per run, and milgrad's."""

import atexit
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build"
CONFIGURATIONS = ("gated_3", "gated_7", "plain_3", "plain_7")
STEPS, MORE_STEPS = 200, 20


@functools.cache
def scratch():
    folder = tempfile.mkdtemp(prefix="milgrad-parity-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


@functools.cache
def keras(float_type):
    """The folder with one folder per configuration, trained by Keras on JAX."""
    folder = scratch() / f"keras_{float_type}"
    run(sys.executable, HERE / "keras_example.py", float_type, folder)
    return folder


@functools.cache
def keras_continued(float_type, adam):
    """Lets Keras train on from milgrad's files; their folder, with what Keras found in them."""
    folders = [milgrad(name, float_type, adam, "initial") for name in CONFIGURATIONS]
    run(sys.executable, HERE / "keras_example.py", float_type, keras(float_type),
        "--continue-from", folders[0].parent)
    return folders[0].parent


@functools.cache
def milgrad(name, float_type, adam, weights, *flags):
    """One run of milgrad's driver over the steps that Keras took from the same file; the folder it
    wrote. The file is one of Keras's ("initial", "saturated", "trained"), or milgrad's "own" trained
    one. Flags such as "--run-eagerly" are passed on."""
    folder = scratch() / "_".join(["milgrad", float_type, adam, weights, *flags]) / name
    folder.mkdir(parents=True, exist_ok=True)
    data = keras(float_type) / name
    if weights == "own":
        file = milgrad(name, float_type, adam, "initial") / "trained.weights.h5"
    else:
        file = data / f"{weights}.weights.h5"
    first, last = {"initial": (0, STEPS), "saturated": (0, MORE_STEPS)}.get(
        weights, (STEPS, STEPS + MORE_STEPS))
    run(BUILD / "milgrad_parity", "--data", data, "--out", folder, "--dtype", float_type,
        "--adam", adam, "--weights", file, "--from", first, "--to", last, *flags)
    return folder


def mil(*words):
    run(BUILD / "mil", *words)


def load(folder, name):
    return np.load(folder / f"{name}.npy")


def config(folder):
    return json.loads((folder / "config.json").read_text())


def datasets(path):
    """Every dataset of an HDF5 file by its path."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def groups(path):
    """Every group of an HDF5 file with its `name` attribute, if it has one."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Group):
            found[name] = item.attrs.get("name")

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def weights(path):
    """The model's weights in Keras's order."""
    found = datasets(path)
    layers = ("dense", "dense_1", "mil_attention_layer", "dense_2")
    return [found[key] for layer in layers for key in sorted(found)
            if key.startswith(f"layers/{layer}/vars/")]


def weights_and_state(path):
    """The model's weights and the optimizer's variables, each in Keras's order."""
    found = datasets(path)
    count = sum(key.startswith("optimizer/vars/") for key in found)
    return weights(path) + [found[f"optimizer/vars/{i}"] for i in range(count)]
