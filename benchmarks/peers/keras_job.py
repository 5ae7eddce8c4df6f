"""The example in Keras. Usage: KERAS_BACKEND=... keras_job.py step|job

step prints microseconds per train step of fit(); job is the whole example, 20 epochs with validation,
to be timed from outside.
"""

import sys
import tempfile
import time
from pathlib import Path

import data
import bags
import keras
import keras_example


class EpochSeconds(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def main(what):
    images, labels = bags.make_bags(data.BAGS, data.BAG_SIZE, seed=0)
    x, weights = keras_example.inputs_of(images), dict(enumerate(bags.class_weights(labels)))
    model = keras_example.build(gated=True, bag_size=data.BAG_SIZE)
    if what == "step":
        timer = EpochSeconds()
        model.fit(x, labels, epochs=data.EPOCHS, batch_size=1, class_weight=weights, verbose=0,
                  callbacks=[timer])
        data.report(timer.seconds)
        return
    tests, test_labels = bags.make_bags(300, data.BAG_SIZE, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best.weights.h5"
        checkpoint = keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True)
        model.fit(x, labels, validation_data=(keras_example.inputs_of(tests), test_labels), epochs=20,
                  batch_size=1, class_weight=weights, verbose=0, callbacks=[checkpoint])
        model.load_weights(best)
    keras_example.describe(model, tests, test_labels)


if __name__ == "__main__":
    main(sys.argv[1])
