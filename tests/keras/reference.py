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
DRIVER = HERE.parents[1] / "build/milgrad_parity"
CONFIGURATIONS = ("gated_3", "gated_7", "plain_3", "plain_7")
STEPS = 200


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
    folders = [milgrad(name, float_type, adam) for name in CONFIGURATIONS]
    run(sys.executable, HERE / "keras_example.py", float_type, keras(float_type),
        "--continue-from", folders[0].parent)
    return folders[0].parent


@functools.cache
def milgrad(name, float_type, adam="default", weights="initial", first=0, last=STEPS):
    """One run of milgrad's driver, starting from Keras's weights; the folder it wrote."""
    folder = scratch() / f"milgrad_{float_type}_{adam}_{weights}" / name
    folder.mkdir(parents=True)
    run(DRIVER, "--data", keras(float_type) / name, "--out", folder, "--dtype", float_type,
        "--adam", adam, "--weights", keras(float_type) / name / f"{weights}.weights.h5",
        "--from", first, "--to", last)
    return folder


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
