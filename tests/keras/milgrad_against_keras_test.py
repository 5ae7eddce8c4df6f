"""milgrad, through its driver build/milgrad_parity, against live Keras on JAX and NumPy float64."""

import unittest

import numpy as np

import reference
from numpy_against_keras_test import losses as numpy_losses

STEPS = reference.STEPS


def keras_array(float_type, name, what):
    return reference.load(reference.keras(float_type) / name, what)


def milgrad_losses(*run):
    return reference.load(reference.milgrad(*run), "losses")


def trained_file(*run):
    return reference.milgrad(*run, "initial") / "trained.weights.h5"


class Losses(unittest.TestCase):
    def test_float64_against_numpy(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                found = milgrad_losses(name, "float64", "default", "initial")
                kept = numpy_losses(reference.keras("float64") / name, np.float64)
                np.testing.assert_allclose(found, kept, rtol=1e-9, atol=0)

    def test_float32_against_keras(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                found = milgrad_losses(name, "float32", "default", "initial")
                kept = keras_array("float32", name, "losses")[:STEPS]
                np.testing.assert_allclose(found, kept, rtol=0, atol=1e-4)

    def test_float32_against_keras_with_its_adam_scalars(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                found = milgrad_losses(name, "float32", "exact-keras", "initial")
                kept = keras_array("float32", name, "losses")[:STEPS]
                np.testing.assert_allclose(found, kept, rtol=0, atol=5e-6)


    def test_programs_against_operations_one_by_one(self):
        for float_type, tolerance in ("float64", 1e-9), ("float32", 5e-6):
            for name in reference.CONFIGURATIONS:
                with self.subTest(f"{name} {float_type}"):
                    run = name, float_type, "exact-keras", "initial"
                    eager = milgrad_losses(*run, "--run-eagerly")
                    np.testing.assert_allclose(milgrad_losses(*run), eager, rtol=0, atol=tolerance)


class ClippedLosses(unittest.TestCase):
    """Steps of a model whose probabilities are 0 and 1: the loss clips them, its gradient is zero."""

    def test_float64_against_numpy(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                found = milgrad_losses(name, "float64", "default", "saturated")
                kept = numpy_losses(reference.keras("float64") / name, np.float64, "saturated")
                np.testing.assert_allclose(found, kept, rtol=1e-9, atol=0)

    def test_float32_against_keras(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                found = milgrad_losses(name, "float32", "exact-keras", "saturated")
                kept = keras_array("float32", name, "saturated_losses")
                np.testing.assert_allclose(found, kept, rtol=0, atol=5e-6)


class SameWeights(unittest.TestCase):
    """What predict() and evaluate() say with Keras's weights loaded."""

    def compare(self, float_type, weights):
        for name in reference.CONFIGURATIONS:
            folder = reference.milgrad(name, float_type, "exact-keras", weights)
            for what in ("predictions", "attention", "evaluate"):
                with self.subTest(f"{name} {what}"):
                    kept = keras_array(float_type, name, f"{weights}_{what}")
                    found = reference.load(folder, what)
                    self.assertEqual(found.shape, kept.shape)
                    np.testing.assert_allclose(found, kept, rtol=0, atol=1e-5)

    def test_initial_float32(self):
        self.compare("float32", "initial")

    def test_trained_float32(self):
        self.compare("float32", "trained")

    def test_initial_float64(self):
        self.compare("float64", "initial")

    def test_trained_float64(self):
        self.compare("float64", "trained")


class WeightFiles(unittest.TestCase):
    def test_milgrad_goes_on_from_kerass_file(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                found = milgrad_losses(name, "float32", "exact-keras", "trained")
                kept = keras_array("float32", name, "losses")[STEPS:]
                np.testing.assert_allclose(found, kept, rtol=0, atol=5e-6)

    def test_keras_finds_in_milgrads_file_what_was_written(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras_continued("float32", "exact-keras") / name
                written = folder / "trained.weights.h5"
                expected = reference.weights_and_state(written)
                with np.load(folder / "found.npz") as archive:
                    found = list(archive.values())
                self.assertEqual(len(found), len(expected))
                for read, kept in zip(found, expected):
                    np.testing.assert_array_equal(read, kept)
                self.assertEqual(reference.datasets(written)["optimizer/vars/0"], STEPS)

    def test_keras_goes_on_from_milgrads_file(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                folder = reference.keras_continued("float32", "exact-keras") / name
                found = reference.load(folder, "continued")
                kept = milgrad_losses(name, "float32", "exact-keras", "own")
                np.testing.assert_allclose(found, kept, rtol=0, atol=5e-6)

    def compare_layout(self, float_type):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                ours = trained_file(name, float_type, "default")
                keras = reference.keras(float_type) / name / "trained.weights.h5"
                self.assertEqual(reference.groups(ours), reference.groups(keras))
                found, kept = reference.datasets(ours), reference.datasets(keras)
                self.assertEqual(found.keys(), kept.keys())
                for key, array in kept.items():
                    self.assertEqual(found[key].dtype, array.dtype, key)
                    self.assertEqual(found[key].shape, array.shape, key)

    def test_layout_is_kerass_float32(self):
        self.compare_layout("float32")

    def test_layout_is_kerass_float64(self):
        self.compare_layout("float64")

    def test_trained_weights_are_kerass(self):
        for name in reference.CONFIGURATIONS:
            with self.subTest(name):
                ours = trained_file(name, "float32", "exact-keras")
                keras = reference.keras("float32") / name / "trained.weights.h5"
                kept = reference.datasets(keras)
                for key, array in reference.datasets(ours).items():
                    np.testing.assert_allclose(array, kept[key], rtol=0, atol=1e-4, err_msg=key)


if __name__ == "__main__":
    unittest.main()
