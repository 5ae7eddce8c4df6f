"""The weights files of `mil train`, which also hold the run's configuration, in live Keras."""

import functools
import json
import unittest

import h5py
import numpy as np

import bags
import keras_example
import reference

RUNS = {
    "best.weights.h5": ["--gated", "--bag-size", 3],
    "member_1.weights.h5": ["--no-gated", "--bag-size", 7, "--ensemble", 2],
}


@functools.cache
def trained(file):
    """A weights file of a short run on real digits."""
    folder = reference.scratch() / f"mil_{file}"
    reference.mil("train", "--data-dir", bags.mnist_folder(), "--out", folder, "--epochs", 2,
                  "--train-bags", 60, "--validation-bags", 20, "--test-bags", 20, *RUNS[file])
    return folder / file


def load_in_keras(path):
    """A Keras model from what the file says of its own."""
    with h5py.File(path) as file:
        config = json.loads(file.attrs["mil_configuration"])
    return keras_example.load(path, config["gated"], config["bag_size"]), config["bag_size"]


def mil_predict(weights, images):
    """The table that `mil predict` makes of these bags: probabilities and attention."""
    folder = weights.parent / "bags"
    folder.mkdir()
    count, bag_size = images.shape[:2]
    np.save(folder / "X.npy", images.reshape(-1, 28, 28))
    np.save(folder / "offsets.npy", np.arange(count + 1) * bag_size)
    reference.mil("predict", "--weights", weights, "--data", folder, "--out", folder / "table.csv")
    table = np.genfromtxt(folder / "table.csv", delimiter=",", names=True)
    columns = ["p_0", "p_1"] + [f"attention_{i + 1}" for i in range(bag_size)]
    return np.stack([table[column] for column in columns], axis=1)


@unittest.skipUnless(bags.mnist_folder(), "MILGRAD_TEST_DATA has no mnist, which mil train needs")
class TrainedFiles(unittest.TestCase):
    def test_keras_predicts_as_mil(self):
        for file in RUNS:
            with self.subTest(file):
                model, bag_size = load_in_keras(trained(file))
                images, labels = bags.make_bags(40, bag_size, seed=0)
                said = keras_example.describe(model, images, labels)
                kept = np.concatenate([said["predictions"], said["attention"]], axis=1)
                found = mil_predict(trained(file), images)
                np.testing.assert_allclose(found, kept, rtol=0, atol=1e-5)

    def test_keras_finds_what_was_written(self):
        for file in RUNS:
            with self.subTest(file):
                found = keras_example.weights_and_state(load_in_keras(trained(file))[0])
                expected = reference.weights_and_state(trained(file))
                self.assertEqual(len(found), len(expected))
                for read, kept in zip(found, expected):
                    np.testing.assert_array_equal(read, kept)


if __name__ == "__main__":
    unittest.main()
