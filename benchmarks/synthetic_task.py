"""How hard the `synthetic` digits are: a linear classifier must fail often and a small network hardly ever.

Run `python -m benchmarks.synthetic_task`. Trains both on the 60,000 training images, tests them on the 10,000
others, prints both accuracies and exits with 1 when a bound is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stirdata.sources import synthetic

#: Bounds on the accuracy. Reason: above the first, images of one class differ too little for a task in
#: vision; below the second, classes look too much alike.
LINEAR_BELOW = 0.95
NETWORK_AT_LEAST = 0.98

SEED = 0
THREADS = 2


class Task(NamedTuple):
    """Images, float32 (n, 1, 28, 28) in [0, 1], and labels, int64 (n,)."""

    images: Tensor
    labels: Tensor


def load() -> tuple[Task, Task]:
    """Return the training and the test part."""
    images, labels = synthetic.draw_all(THREADS)
    inputs = torch.from_numpy(images)[:, None].to(torch.float32) / 255
    targets = torch.from_numpy(labels).to(torch.int64)
    split = synthetic.TRAIN_COUNT
    return Task(inputs[:split], targets[:split]), Task(inputs[split:], targets[split:])


def accuracy(model: nn.Module, task: Task) -> float:
    """Return the share of images that the model labels correctly, 0 to 1."""
    firsts = range(0, len(task.labels), 1000)
    with torch.no_grad():
        guesses = torch.cat([model(task.images[first : first + 1000]).argmax(dim=1) for first in firsts])
    return (guesses == task.labels).to(torch.float64).mean().item()


def linear_model() -> nn.Module:
    """Return multinomial logistic regression on the pixels, all weights zero."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def network_model() -> nn.Module:
    """Return a network of two convolutions and one hidden layer, randomly initialised."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def fit_linear(model: nn.Module, train: Task, iterations: int = 200) -> None:
    """Fit with L-BFGS on all the images at once."""
    optimizer: Any = torch.optim.LBFGS(
        model.parameters(), max_iter=iterations, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        loss: Any = nn.functional.cross_entropy(model(train.images), train.labels)
        loss.backward()
        return float(loss.item())

    optimizer.step(closure)


def fit_network(model: nn.Module, train: Task, epochs: int = 3, batch: int = 128) -> None:
    """Fit with Adam; the learning rate rises and falls once."""
    steps = len(train.labels) // batch
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=epochs * steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(train.labels))[: steps * batch].view(steps, batch):
            optimizer.zero_grad()
            loss: Any = nn.functional.cross_entropy(model(train.images[chosen]), train.labels[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()


def measure(
    name: str, model: nn.Module, fit: Callable[[nn.Module, Task], None], parts: tuple[Task, Task]
) -> float:
    """Train and test one model, print a line on it and return the accuracy on the test part."""
    train, test = parts
    started = time.perf_counter()
    fit(model, train)
    seconds = time.perf_counter() - started
    tested = accuracy(model, test)
    print(
        f"{name}: train {accuracy(model, train):.2%}, test {tested:.2%}, fitted in {seconds:.0f} s",
        flush=True,
    )
    return tested


def main() -> int:
    """Draw, train, test and print; return the exit code."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    started = time.perf_counter()
    parts = load()
    print(f"{synthetic.COUNT} images drawn in {time.perf_counter() - started:.1f} s", flush=True)
    linear = measure("linear", linear_model(), fit_linear, parts)
    network = measure("network", network_model(), fit_network, parts)
    met = linear < LINEAR_BELOW and network >= NETWORK_AT_LEAST
    bounds = f"linear < {LINEAR_BELOW:.0%}, network >= {NETWORK_AT_LEAST:.0%}"
    print(f"bounds ({bounds}): {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
