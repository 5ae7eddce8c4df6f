"""The attention-MIL example's train step written out in NumPy: forward, loss, backward, Adam.

In float64 it is the yardstick for milgrad's float64 models, and is itself checked against live
Keras. Loss and optimizer follow Keras 3 on JAX: sparse cross-entropy of probabilities with its clip,
L2 without 1/2, Adam with the step size corrected instead of the moments.
"""

import numpy as np

EPSILON = 1e-7
NAMES = ("K1", "b1", "K2", "b2", "v", "w", "u", "Kc", "bc")
REGULARIZED = ("v", "w", "u")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Example:
    """Weights are those of Keras in its order: dense, dense_1, alpha (v, w[, u]), dense_2."""

    def __init__(self, weights, gated, class_weight, dtype=np.float64, l2=0.01, learning_rate=1e-3):
        names = NAMES if gated else tuple(name for name in NAMES if name != "u")
        self.dtype = dtype
        self.weights = {n: np.array(w, dtype) for n, w in zip(names, weights, strict=True)}
        self.gated = gated
        self.class_weight = [dtype(weight) for weight in class_weight]
        self.l2 = dtype(l2)
        self.learning_rate = dtype(learning_rate)
        self.first = {n: np.zeros_like(w) for n, w in self.weights.items()}
        self.second = {n: np.zeros_like(w) for n, w in self.weights.items()}
        self.iterations = 0

    def forward(self, bag):
        """Everything the backward pass needs; bag is [instances, 28, 28] in [0, 1]."""
        p = self.weights
        c = {"x": bag.reshape(len(bag), -1)}
        c["z1"] = c["x"] @ p["K1"] + p["b1"]
        c["h1"] = np.maximum(c["z1"], 0)
        c["z2"] = c["h1"] @ p["K2"] + p["b2"]
        c["h2"] = np.maximum(c["z2"], 0)
        c["tanh"] = np.tanh(c["h2"] @ p["v"])
        c["gate"] = sigmoid(c["h2"] @ p["u"]) if self.gated else np.ones_like(c["tanh"])
        score = (c["tanh"] * c["gate"]) @ p["w"]
        exponential = np.exp(score - score.max())
        c["alpha"] = exponential / exponential.sum()
        c["pooled"] = (c["alpha"] * c["h2"]).reshape(-1)
        logits = c["pooled"] @ p["Kc"] + p["bc"]
        exponential = np.exp(logits - logits.max())
        c["p"] = exponential / exponential.sum()
        return c

    def penalty(self):
        return self.l2 * sum((self.weights[n] ** 2).sum() for n in REGULARIZED if n in self.weights)

    def data_loss(self, p, label):
        return -np.log(np.clip(p[label] / p.sum(), EPSILON, 1 - EPSILON))

    def logits_gradient(self, p, label):
        """Through clip, division by the sum and softmax, in that order backwards."""
        q = p / p.sum()
        inside = EPSILON <= q[label] <= 1 - EPSILON
        dq = np.zeros_like(p)
        if inside:
            dq[label] = -self.class_weight[label] / q[label]
        dp = (dq - (dq * q).sum()) / p.sum()
        return p * (dp - (dp * p).sum())

    def gradients(self, c, label):
        p = self.weights
        g = {}
        dlogits = self.logits_gradient(c["p"], label)
        g["Kc"], g["bc"] = np.outer(c["pooled"], dlogits), dlogits
        dpooled = (p["Kc"] @ dlogits).reshape(c["h2"].shape)
        dalpha = (dpooled * c["h2"]).sum(axis=1, keepdims=True)
        dscore = c["alpha"] * (dalpha - (dalpha * c["alpha"]).sum())
        g["w"] = (c["tanh"] * c["gate"]).T @ dscore
        dgated = dscore @ p["w"].T
        dtanh = dgated * c["gate"] * (1 - c["tanh"] ** 2)
        g["v"] = c["h2"].T @ dtanh
        dh2 = dpooled * c["alpha"] + dtanh @ p["v"].T
        if self.gated:
            dgate = dgated * c["tanh"] * c["gate"] * (1 - c["gate"])
            g["u"] = c["h2"].T @ dgate
            dh2 = dh2 + dgate @ p["u"].T
        dh2 = dh2 * (c["h2"] > 0)
        g["K2"], g["b2"] = c["h1"].T @ dh2, dh2.sum(axis=0)
        dh1 = (dh2 @ p["K2"].T) * (c["h1"] > 0)
        g["K1"], g["b1"] = c["x"].T @ dh1, dh1.sum(axis=0)
        for name in REGULARIZED:
            if name in g:
                g[name] = g[name] + 2 * self.l2 * p[name]
        return g

    def adam(self, g, beta_1=0.9, beta_2=0.999):
        """In float32 with Keras's own roundings: powers in float32, 1 - beta in double."""
        self.iterations += 1
        one, t = self.dtype(1), self.dtype(self.iterations)
        correction = np.sqrt(one - self.dtype(beta_2) ** t) / (one - self.dtype(beta_1) ** t)
        alpha = self.learning_rate * correction
        for name, weight in self.weights.items():
            m, v = self.first[name], self.second[name]
            m += (g[name] - m) * self.dtype(1 - beta_1)
            v += (g[name] ** 2 - v) * self.dtype(1 - beta_2)
            weight -= m * alpha / (np.sqrt(v) + self.dtype(EPSILON))

    def train_step(self, bag, label):
        """One step of batch size 1; the total loss before the update, as Keras reports it."""
        c = self.forward(bag)
        loss = self.class_weight[label] * self.data_loss(c["p"], label) + self.penalty()
        self.adam(self.gradients(c, label))
        return loss

    def evaluate(self, bags, labels):
        """Unweighted loss and accuracy, as Keras's evaluate()."""
        p = [self.forward(bag)["p"] for bag in bags]
        losses = [self.data_loss(row, label) for row, label in zip(p, labels)]
        return np.mean(losses) + self.penalty(), np.mean(np.argmax(p, axis=1) == labels)
