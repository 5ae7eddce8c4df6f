"""The bags that every peer trains on: 1,000 of three digits, drawn as the tests draw theirs."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/keras"))

import bags

BAGS, BAG_SIZE, EPOCHS = 1000, 3, 5


def training_bags():
    """float32 [bags, 3, 784] in [0, 1], int labels [bags], class weights [2]."""
    images, labels = bags.make_bags(BAGS, BAG_SIZE, seed=0)
    x = (images / 255.0).astype(np.float32).reshape(BAGS, BAG_SIZE, 784)
    return x, labels, np.array(bags.class_weights(labels), np.float32)


def initial_weights():
    """Glorot-uniform weights of the example's model, with gated attention: 142,146 numbers."""
    rng = np.random.default_rng(0)

    def glorot(rows, columns):
        limit = np.sqrt(6 / (rows + columns))
        return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)

    return {"K1": glorot(784, 128), "b1": np.zeros(128, np.float32), "K2": glorot(128, 64),
            "b2": np.zeros(64, np.float32), "v": glorot(64, 256), "u": glorot(64, 256),
            "w": glorot(256, 1), "Kc": glorot(192, 2), "bc": np.zeros(2, np.float32)}


def report(epoch_seconds):
    """Prints microseconds per step of the fastest epoch; the first one pays for compiling."""
    print(min(epoch_seconds[1:]) / BAGS * 1e6)
