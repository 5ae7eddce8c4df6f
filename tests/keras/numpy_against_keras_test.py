"""The NumPy re-coding of the train step against live Keras on JAX."""

import unittest

import numpy as np

import reference
from numpy_example import Example


def example(folder, dtype, weights="initial"):
    config = reference.config(folder)
    start = reference.weights(folder / f"{weights}.weights.h5")
    return Example(start, config["gated"], config["class_weight"], dtype)


def losses(folder, dtype):
    """The losses of STEPS steps from Keras's initial weights."""
    model = example(folder, dtype)
    bags = (reference.load(folder, "bags") / 255.0).astype(dtype)
    labels = reference.load(folder, "labels")
    order = reference.load(folder, "order")[: reference.STEPS]
    return np.array([model.train_step(bags[bag], labels[bag]) for bag in order])


class NumpyAgainstKeras(unittest.TestCase):
    def test_float64_losses(self):
        # Keras narrows some operations to float32 even in float64, hence not closer than 1e-6.
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float64") / name
                kept = reference.load(folder, "losses")[: reference.STEPS]
                np.testing.assert_allclose(losses(folder, np.float64), kept, rtol=1e-6, atol=0)

    def test_float32_losses(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float32") / name
                kept = reference.load(folder, "losses")[: reference.STEPS]
                np.testing.assert_allclose(losses(folder, np.float32), kept, rtol=0, atol=5e-6)

    def test_the_model_learns(self):
        # Otherwise equal losses would say little about the backward pass.
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float32") / name
                before, after = (reference.load(folder, f"{w}_evaluate") for w in ("initial", "trained"))
                self.assertLess(after[0], 0.5 * before[0])

    def test_evaluate(self):
        for weights in ("initial", "trained"):
            for name in reference.CONFIGURATIONS:
                with self.subTest(f"{weights} {name}"):
                    folder = reference.keras("float64") / name
                    images = reference.load(folder, "test_bags") / 255.0
                    labels = reference.load(folder, "test_labels")
                    found = example(folder, np.float64, weights).evaluate(images, labels)
                    kept = reference.load(folder, f"{weights}_evaluate")
                    np.testing.assert_allclose(found, kept, rtol=1e-6, atol=0)


if __name__ == "__main__":
    unittest.main()
