"""The attention-MIL example in Keras 3 (https://keras.io/examples/vision/attention_mil_classification/).

Called as a program it trains every configuration on JAX and writes, for each, one folder that the
tests and milgrad's driver read. A process of its own, because the float type is a setting of the
process. benchmarks/peers.py uses the model on other backends too.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers, ops

import bags

STEPS = 200
MORE_STEPS = 20
# Seeds for which no ReLU input comes so close to 0 that float32 rounding decides its sign: such an
# event moves 784 weights by a whole Adam step, in Keras as in any other float32 program.
CONFIGURATIONS = {
    "gated_3": {"gated": True, "bag_size": 3, "seed": 5},
    "gated_7": {"gated": True, "bag_size": 7, "seed": 52},
    "plain_3": {"gated": False, "bag_size": 3, "seed": 18},
    "plain_7": {"gated": False, "bag_size": 7, "seed": 87},
}


class MILAttentionLayer(layers.Layer):
    """Scores w' (tanh(h v) [* sigmoid(h u)]) of the instances, softmax over the bag."""

    def __init__(self, dim, gated, **options):
        super().__init__(**options)
        self.dim = dim
        self.gated = gated

    def build(self, shapes):
        def weight(name, shape, seed):
            # Initializers of their own: one shared object would draw v and u equal.
            return self.add_weight(name=name, shape=shape, regularizer=keras.regularizers.L2(0.01),
                                   initializer=keras.initializers.GlorotUniform(seed))

        width = shapes[0][1]
        self.v = weight("v", (width, self.dim), 1)
        self.w = weight("w", (self.dim, 1), 2)
        self.u = weight("u", (width, self.dim), 3) if self.gated else None

    def score(self, h):
        x = ops.tanh(ops.tensordot(h, self.v, axes=1))
        if self.gated:
            x = x * ops.sigmoid(ops.tensordot(h, self.u, axes=1))
        return ops.tensordot(x, self.w, axes=1)

    def call(self, instances):
        alpha = ops.softmax(ops.stack([self.score(h) for h in instances]), axis=0)
        return [alpha[i] for i in range(len(instances))]


def build(gated, bag_size):
    inputs = [layers.Input((28, 28)) for _ in range(bag_size)]
    first, second = layers.Dense(128, activation="relu"), layers.Dense(64, activation="relu")
    embeddings = [second(first(layers.Flatten()(x))) for x in inputs]
    alpha = MILAttentionLayer(256, gated, name="alpha")(embeddings)
    pooled = [layers.multiply([a, h]) for a, h in zip(alpha, embeddings)]
    output = layers.Dense(2, activation="softmax")(layers.concatenate(pooled, axis=1))
    model = keras.Model(inputs, output)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def inputs_of(images):
    """[bags, instances, 28, 28] of uint8 as the list of instance arrays that the model takes."""
    scaled = (images / 255.0).astype(keras.config.floatx())
    return [scaled[:, i] for i in range(scaled.shape[1])]


def train(model, images, labels, order, class_weight):
    """One batch of one bag per step; the losses."""
    weights = dict(enumerate(class_weight))
    losses = []
    for bag in order:
        x, y = inputs_of(images[bag : bag + 1]), labels[bag : bag + 1]
        losses.append(float(model.train_on_batch(x, y, class_weight=weights)[0]))
    return np.array(losses)


def describe(model, images, labels):
    """What evaluate() and predict() say, of the model and of its attention."""
    x = inputs_of(images)
    attention = keras.Model(model.inputs, model.get_layer("alpha").output)
    weights = np.concatenate(attention.predict(x, verbose=0), axis=1)
    return {"predictions": model.predict(x, verbose=0), "attention": weights,
            "evaluate": np.array(model.evaluate(x, labels, verbose=0))}


def save_arrays(folder, prefix, arrays):
    for name, array in arrays.items():
        np.save(folder / f"{prefix}{name}.npy", array)


def weights_and_state(model):
    return [np.asarray(variable) for variable in model.weights + model.optimizer.variables]


def make_reference(folder, gated, bag_size, seed):
    keras.utils.clear_session()  # automatic names count from the start again
    keras.utils.set_random_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = bags.make_bags(STEPS, bag_size, seed)
    tests, test_labels = bags.make_bags(64, bag_size, seed + 1)
    order = np.random.default_rng(seed).permutation(STEPS)
    order = np.concatenate([order, order[:MORE_STEPS]])
    weights = bags.class_weights(labels)
    save_arrays(folder, "", {"bags": images, "labels": labels, "test_bags": tests,
                             "test_labels": test_labels, "order": order})
    config = {"gated": gated, "bag_size": bag_size, "class_weight": weights,
              "attention_dim": 256, "dense": [128, 64], "l2": 0.01, "learning_rate": 0.001}
    (folder / "config.json").write_text(json.dumps(config))

    model = build(gated, bag_size)
    model.save_weights(folder / "initial.weights.h5")
    save_arrays(folder, "initial_", describe(model, tests, test_labels))
    model.optimizer.build(model.trainable_variables)
    start = weights_and_state(model)
    losses = train(model, images, labels, order[:STEPS], weights)
    model.save_weights(folder / "trained.weights.h5")
    save_arrays(folder, "trained_", describe(model, tests, test_labels))
    more = train(model, images, labels, order[STEPS:], weights)
    np.save(folder / "losses.npy", np.concatenate([losses, more]))

    # The start again, but so sure of its answers, right and wrong, that the loss clips them.
    for variable, value in zip(model.weights + model.optimizer.variables, start):
        variable.assign(value)
    kernel = model.layers[-1].kernel
    kernel.assign(1e6 * kernel)
    model.save_weights(folder / "saturated.weights.h5")
    sure = {"predictions": model.predict(inputs_of(tests), verbose=0),
            "losses": train(model, images, labels, order[:MORE_STEPS], weights)}
    save_arrays(folder, "saturated_", sure)


def load(path, gated, bag_size):
    """A model with the weights and the optimizer's state of a file."""
    model = build(gated, bag_size)
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    return model


def continue_training(folder, weights):
    """Loads a file of weights and optimizer state, writes what was found in it, and trains on."""
    config = json.loads((folder / "config.json").read_text())
    images, labels, order = (np.load(folder / f"{n}.npy") for n in ("bags", "labels", "order"))
    model = load(weights, config["gated"], config["bag_size"])
    np.savez(weights.parent / "found.npz", *weights_and_state(model))
    losses = train(model, images, labels, order[STEPS:], config["class_weight"])
    np.save(weights.parent / "continued.npy", losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("float_type", choices=["float32", "float64"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--continue-from", type=Path, metavar="FOLDER",
                        help="load FOLDER/CONFIGURATION/trained.weights.h5 and train on instead")
    options = parser.parse_args()
    import jax  # only here: on other backends it need not be installed

    jax.config.update("jax_enable_x64", options.float_type == "float64")
    keras.config.set_floatx(options.float_type)
    for name, configuration in CONFIGURATIONS.items():
        folder = options.folder / name
        if options.continue_from:
            continue_training(folder, options.continue_from / name / "trained.weights.h5")
        else:
            make_reference(folder, **configuration)


if __name__ == "__main__":
    main()
