"""The NumPy re-coding of the train step against live Keras on JAX."""

import unittest

import numpy as np

import bags
import reference
from numpy_example import Example


def example(folder, dtype, weights="initial"):
    config = reference.config(folder)
    start = reference.weights(folder / f"{weights}.weights.h5")
    return Example(start, config["gated"], config["class_weight"], dtype)


def batches(folder, dtype, steps):
    images = (reference.load(folder, "bags") / 255.0).astype(dtype)
    labels = reference.load(folder, "labels")
    return [(images[bag], labels[bag]) for bag in reference.load(folder, "order")[:steps]]


def losses(folder, dtype, weights="initial"):
    """The losses of the steps that Keras took from these weights."""
    model = example(folder, dtype, weights)
    steps = reference.STEPS if weights == "initial" else reference.MORE_STEPS
    return np.array([model.train_step(*batch) for batch in batches(folder, dtype, steps)])


class Data(unittest.TestCase):
    def test_digits_are_mnist(self):
        if not bags.mnist_folder():
            self.skipTest("MILGRAD_TEST_DATA has no mnist: all comparisons use made-up digits")
        images, labels = bags.digits(np.random.default_rng(0))
        self.assertEqual(labels[:10].tolist(), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
        self.assertEqual(images[0].sum(), 27525)

    def test_rounding_decides_no_sign(self):
        # What the seeds were chosen for: float32 and float64 agree on every unit of every ReLU.
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float32") / name
                exact, rounded = example(folder, np.float64), example(folder, np.float32)
                for image, label in batches(folder, np.float64, reference.STEPS):
                    wide, narrow = exact.forward(image), rounded.forward(image.astype(np.float32))
                    for z in ("z1", "z2"):
                        off = np.maximum(np.abs(narrow[z] - wide[z]), 5e-7)
                        self.assertGreater((np.abs(wide[z]) / off).min(), 1)
                    exact.adam(exact.gradients(wide, label))
                    rounded.adam(rounded.gradients(narrow, label))


class NumpyAgainstKeras(unittest.TestCase):
    def test_float64_losses(self):
        # Keras narrows some operations to float32 even in float64, hence not closer than 1e-6.
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float64") / name
                kept = reference.load(folder, "losses")[: reference.STEPS]
                np.testing.assert_allclose(losses(folder, np.float64), kept, rtol=1e-6, atol=0)

    def test_clipped_losses(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float64") / name
                kept = reference.load(folder, "saturated_losses")
                found = losses(folder, np.float64, "saturated")
                np.testing.assert_allclose(found, kept, rtol=1e-6, atol=0)

    def test_clip_is_reached(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras("float64") / name
                p = reference.load(folder, "saturated_predictions")
                p = p[np.arange(len(p)), reference.load(folder, "test_labels")]
                self.assertLess(p.min(), 1e-7)
                self.assertGreater(p.max(), 1 - 1e-7)

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
                before = reference.load(folder, "initial_evaluate")
                after = reference.load(folder, "trained_evaluate")
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
