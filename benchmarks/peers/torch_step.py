"""The example's train step in plain PyTorch. Usage: torch_step.py eager|compiled THREADS"""

import sys
import time

import torch
import torch.nn.functional as F

import data


def main(how, threads):
    torch.set_num_threads(threads)
    x, y, class_weight = (torch.tensor(array) for array in data.training_bags())
    p = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in data.initial_weights().items()}
    adam = torch.optim.Adam(p.values(), lr=1e-3, eps=1e-7, fused=True)

    def loss(bag, label):
        h = F.relu(F.relu(bag @ p["K1"] + p["b1"]) @ p["K2"] + p["b2"])
        score = (torch.tanh(h @ p["v"]) * torch.sigmoid(h @ p["u"])) @ p["w"]
        pooled = (torch.softmax(score, 0) * h).reshape(1, -1)
        nll = F.cross_entropy(pooled @ p["Kc"] + p["bc"], label, reduction="none")[0]
        penalty = sum(p[name].square().sum() for name in ("v", "u", "w"))
        return nll * class_weight[label[0]] + 0.01 * penalty

    if how == "compiled":
        loss = torch.compile(loss)
    seconds = []
    for _ in range(data.EPOCHS):
        order = torch.randperm(data.BAGS).tolist()
        start = time.perf_counter()
        for bag in order:
            adam.zero_grad(set_to_none=True)
            loss(x[bag], y[bag : bag + 1]).backward()
            adam.step()
        seconds.append(time.perf_counter() - start)
    data.report(seconds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
