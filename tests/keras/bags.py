"""Bags of MNIST digits, drawn with NumPy: real digits where MILGRAD_TEST_DATA has them, else bars
that are made up and can be learned just as well."""

import gzip
import os
from pathlib import Path

import numpy as np

POSITIVE_DIGIT = 1


def read_idx(path, header):
    """The bytes of an IDX file after its header, packed (path.gz) or not."""
    packed = path.with_name(path.name + ".gz")
    content = gzip.decompress(packed.read_bytes()) if packed.is_file() else path.read_bytes()
    return np.frombuffer(content, np.uint8, offset=header)


def real_digits(folder):
    images = read_idx(folder / "train-images-idx3-ubyte", 16).reshape(-1, 28, 28)
    return images[:5000], read_idx(folder / "train-labels-idx1-ubyte", 8)[:5000]


def made_up_digits(rng, count=2000):
    """Digit k is a bright bar of k + 2 rows at a random place, in noise."""
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels):
        row, column = rng.integers(0, 15), rng.integers(0, 18)
        image[row : row + 2 + label, column : column + 8] += 190
    return images, labels


def mnist_folder():
    """The folder of MNIST's IDX files, or None where MILGRAD_TEST_DATA has none."""
    data = os.environ.get("MILGRAD_TEST_DATA")
    folder = Path(data or "") / "mnist"
    return folder if data and folder.is_dir() else None


def digits(rng):
    folder = mnist_folder()
    return real_digits(folder) if folder else made_up_digits(rng)


def make_bags(count, bag_size, seed):
    """uint8 images [count, bag_size, 28, 28] and int64 labels [count]; no digit twice in a bag."""
    rng = np.random.default_rng(seed)
    images, labels = digits(rng)
    index = np.stack([rng.choice(len(images), bag_size, replace=False) for _ in range(count)])
    return images[index], (labels[index] == POSITIVE_DIGIT).any(axis=1).astype(np.int64)


def class_weights(labels):
    """Keras's usual balance: total / 2 / count of each class."""
    counts = np.bincount(labels, minlength=2)
    return [len(labels) / 2 / int(count) for count in counts]
