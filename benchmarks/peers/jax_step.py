"""The example's train step in plain JAX. Usage: jax_step.py jit|scan (a call per step or per epoch)"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import data

tree_map = jax.tree_util.tree_map


def make_step(class_weight):
    def loss(p, bag, label):
        h = jax.nn.relu(jax.nn.relu(bag @ p["K1"] + p["b1"]) @ p["K2"] + p["b2"])
        score = (jnp.tanh(h @ p["v"]) * jax.nn.sigmoid(h @ p["u"])) @ p["w"]
        pooled = (jax.nn.softmax(score, 0) * h).reshape(-1)
        log_p = jax.nn.log_softmax(pooled @ p["Kc"] + p["bc"])
        penalty = sum((p[name] ** 2).sum() for name in ("v", "u", "w"))
        return -log_p[label] * class_weight[label] + 0.01 * penalty

    def step(state, bag, label):
        p, m, v, t = state
        g = jax.grad(loss)(p, bag, label)
        t = t + 1
        m = tree_map(lambda m, g: m + (g - m) * 0.1, m, g)
        v = tree_map(lambda v, g: v + (g * g - v) * 0.001, v, g)
        alpha = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = tree_map(lambda p, m, v: p - alpha * m / (jnp.sqrt(v) + 1e-7), p, m, v)
        return p, m, v, t

    return step


def initial_state():
    p = tree_map(jnp.asarray, data.initial_weights())
    return p, tree_map(jnp.zeros_like, p), tree_map(jnp.zeros_like, p), jnp.float32(0)


def main(how):
    x, y, class_weight = data.training_bags()
    step = make_step(jnp.asarray(class_weight))
    state, seconds, rng = initial_state(), [], np.random.default_rng(0)
    if how == "jit":
        compiled = jax.jit(step, donate_argnums=0)
        bags = [(jnp.asarray(bag), jnp.asarray(label)) for bag, label in zip(x, y)]
    else:
        scan = lambda s, bags, labels: jax.lax.scan(lambda s, b: (step(s, *b), None), s, (bags, labels))[0]
        compiled = jax.jit(scan, donate_argnums=0)
    for _ in range(data.EPOCHS):
        order = rng.permutation(data.BAGS)
        start = time.perf_counter()
        if how == "jit":
            for bag in order:
                state = compiled(state, *bags[bag])
        else:
            state = compiled(state, x[order], y[order])
        jax.block_until_ready(state)
        seconds.append(time.perf_counter() - start)
    data.report(seconds)


if __name__ == "__main__":
    main(sys.argv[1])
