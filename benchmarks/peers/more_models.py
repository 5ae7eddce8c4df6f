"""Further models beside ours. Usage: more_models.py second|mlp|pathology jax|torch|torch.compile

second: five instances of 500 numbers, Dense 96 and 48, attention of 100 without a gate, SGD with
momentum, one bag a step. mlp: digits, Dense 128, Adam, 32 a step. pathology: 10,000 instances of
1,024 numbers, Dense 512, gated attention of 256, Adam, one bag a step, on all cores. Prints
microseconds per step of the fastest epoch; JAX runs each epoch as one compiled scan.
"""

import sys
import time

import numpy as np

EPOCHS = 6
RNG = np.random.default_rng(0)


def glorot(rows, columns):
    limit = np.sqrt(6 / (rows + columns))
    return RNG.uniform(-limit, limit, (rows, columns)).astype(np.float32)


def layers(*sizes):
    pairs = list(zip(sizes, sizes[1:]))
    return [glorot(*pair) for pair in pairs], [np.zeros(pair[1], np.float32) for pair in pairs]


def setup(model):
    """Inputs [steps, ...], labels, weights, whether Adam."""
    if model == "second":
        kernels, biases = layers(500, 96, 48)
        heads, head_bias = layers(240, 2)
        weights = kernels + biases + [glorot(48, 100), glorot(100, 1)] + heads + head_bias
        x = RNG.standard_normal((1000, 5, 500)).astype(np.float32)
        return x, RNG.integers(0, 2, (1000, 1)), weights, False
    if model == "pathology":
        weights = [glorot(1024, 512), np.zeros(512, np.float32), glorot(512, 256), glorot(512, 256),
                   glorot(256, 1), glorot(512, 2), np.zeros(2, np.float32),
                   np.zeros(256, np.float32), np.zeros(256, np.float32), np.zeros(1, np.float32)]
        x = RNG.standard_normal((2, 10000, 1024)).astype(np.float32)
        return x, np.ones((2, 1), np.int64), weights, True
    kernels, biases = layers(784, 128, 10)
    x = RNG.random((300, 32, 784)).astype(np.float32)
    return x, RNG.integers(0, 10, (300, 32)), kernels + biases, True


def logits_and_penalty(lib, model, p, x):
    """lib: relu, tanh, sigmoid, softmax over instances."""
    if model == "pathology":
        h = lib.relu(x @ p[0] + p[1])
        gates = lib.tanh(h @ p[2] + p[7]) * lib.sigmoid(h @ p[3] + p[8])
        return (lib.softmax(gates @ p[4] + p[9]) * h).sum(0)[None] @ p[5] + p[6], 0.0
    if model == "mlp":
        return lib.relu(x @ p[0] + p[2]) @ p[1] + p[3], 0.0
    h = lib.relu(lib.relu(x @ p[0] + p[2]) @ p[1] + p[3])
    pooled = (lib.softmax(lib.tanh(h @ p[4]) @ p[5]) * h).reshape(1, -1)
    return pooled @ p[6] + p[7], 0.01 * ((p[4] ** 2).sum() + (p[5] ** 2).sum())


def jax_epoch(model, x, y, weights, adam):
    import jax
    import jax.numpy as jnp

    class Lib:
        relu, tanh = staticmethod(jax.nn.relu), staticmethod(jnp.tanh)
        sigmoid = staticmethod(jax.nn.sigmoid)
        softmax = staticmethod(lambda s: jax.nn.softmax(s, 0))

    def loss(p, bag, label):
        z, penalty = logits_and_penalty(Lib, model, p, bag)
        return -jnp.take_along_axis(jax.nn.log_softmax(z), label[:, None], 1).mean() + penalty

    def step(state, batch):
        p, m, v, t = state
        g = jax.grad(loss)(p, *batch)
        t = t + 1
        if adam:
            m = [m + (g - m) * 0.1 for m, g in zip(m, g)]
            v = [v + (g * g - v) * 0.001 for v, g in zip(v, g)]
            alpha = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            p = [p - alpha * m / (jnp.sqrt(v) + 1e-7) for p, m, v in zip(p, m, v)]
        else:
            m = [0.9 * m - 0.01 * g for m, g in zip(m, g)]
            p = [p + m for p, m in zip(p, m)]
        return (p, m, v, t), None

    p = [jnp.asarray(w) for w in weights]
    zeros = [jnp.zeros_like(w) for w in p]
    state = [(p, zeros, [w + 0 for w in zeros], jnp.float32(0))]
    run = jax.jit(lambda s, x, y: jax.lax.scan(step, s, (x, y))[0])

    def epoch():
        state[0] = jax.block_until_ready(run(state[0], x, y))

    return epoch


def torch_epoch(model, x, y, weights, adam, compiled=False):
    import torch
    import torch.nn.functional as F

    if model != "pathology":
        torch.set_num_threads(1)

    class Lib:
        relu, tanh = staticmethod(torch.relu), staticmethod(torch.tanh)
        sigmoid = staticmethod(torch.sigmoid)
        softmax = staticmethod(lambda s: torch.softmax(s, 0))

    p = [torch.nn.Parameter(torch.tensor(w)) for w in weights]
    if adam:
        optimizer = torch.optim.Adam(p, lr=1e-3, eps=1e-7, fused=True)
    else:
        optimizer = torch.optim.SGD(p, lr=1e-2, momentum=0.9, fused=True)
    x, y = torch.tensor(x), torch.tensor(y)

    def loss(bag, label):
        z, penalty = logits_and_penalty(Lib, model, p, bag)
        return F.cross_entropy(z, label) + penalty

    loss_of = torch.compile(loss) if compiled else loss

    def epoch():
        for bag, label in zip(x, y):
            optimizer.zero_grad(set_to_none=True)
            loss_of(bag, label).backward()
            optimizer.step()

    return epoch


def main(model, library):
    data = setup(model)
    if library == "jax":
        epoch = jax_epoch(model, *data)
    else:
        epoch = torch_epoch(model, *data, compiled=library == "torch.compile")
    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - start)
    print(min(seconds[1:]) / len(data[0]) * 1e6)


if __name__ == "__main__":
    main(*sys.argv[1:])
