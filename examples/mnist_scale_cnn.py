"""Train the CNN of SESN's Table 2 on realizations of MNIST-scale, and put its error beside the published one.

    stirdata generate mnist-scale --seeds 0-5 --out data
    python examples/mnist_scale_cnn.py data --regime 28+ --seeds 0 1 2 3 4 5 --device cuda

The regimes are 28 x 28 and 56 x 56 pixels, and both with a random scale for every image and epoch (+).
Protocol: Adam, batches of 128, 60 epochs, learning rate 0.01 divided by 10 after each third of them; the
epoch with the best validation accuracy is tested. Source: arXiv 1910.11093, section 6.1 and Table 2.
"""

import argparse
import copy
import time

import torch
from torch import nn

from stirdata import MNISTScale, ScaleAugment, evaluation

REGIMES = {"28": (28, False), "28+": (28, True), "56": (56, False), "56+": (56, True)}


def network(size: int) -> nn.Module:
    """Return three convolutions of 7 x 7 and a classifier of two layers."""
    layers: list[nn.Module] = []
    pools = [(2, 0), (2, 0), (4 if size == 28 else 8, 2)]
    for before, after, (pool, padding) in zip((1, 32, 63), (32, 63, 95), pools, strict=True):
        layers += [nn.Conv2d(before, after, 7, padding=3), nn.ReLU()]
        layers += [nn.MaxPool2d(pool, padding=padding), nn.BatchNorm2d(after)]
    layers += [nn.Flatten(), nn.Linear(380, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(0.7), nn.Linear(256, 10))


def train(model: nn.Module, dataset: MNISTScale, regime: str, epochs: int, seed: int, device: str) -> None:
    """Train, and leave the model as it was after the epoch with the best validation accuracy."""
    size, augmented = REGIMES[regime]
    batches = dataset.batches(
        "train",
        batch_size=128,
        size=size,
        seed=seed,
        device=device,
        normalize=True,
        augment=ScaleAugment(0.5, 2.0, seed=seed) if augmented else None,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    thirds = [max(1, epochs // 3), max(2, 2 * epochs // 3)]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, thirds)
    best, kept = -1.0, copy.deepcopy(model.state_dict())
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
        found = tested(model, dataset, "valid", size).accuracy
        if found > best:
            best, kept = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)


def tested(model: nn.Module, dataset: MNISTScale, split: str, size: int) -> evaluation.Accuracy:
    """Return the accuracy on a split."""
    return evaluation.accuracy(model, dataset, split, size=size, normalize=True, batch_size=500, quiet=True)


def main() -> None:
    """Train one network for each seed, and print error, spread and time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", help="the folder below which realizations are, or a realization")
    parser.add_argument("--regime", choices=REGIMES, default="28")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="realizations, and of all draws")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()

    size, errors = REGIMES[given.regime][0], []
    for seed in given.seeds:
        torch.manual_seed(seed)
        dataset, model = MNISTScale(given.folder, seed=seed), network(size).to(given.device)
        start = time.perf_counter()
        train(model, dataset, given.regime, given.epochs, seed, given.device)
        result = tested(model, dataset, "test", size)
        errors.append(100 * (1 - result.accuracy))
        print(f"seed {seed}  error {errors[-1]:.2f} %  {time.perf_counter() - start:.0f} s", flush=True)
    every = torch.tensor(errors, dtype=torch.float64)
    spread = f" +- {every.std():.2f}" if len(errors) > 1 else ""
    print(f"{given.regime}: error {every.mean():.2f}{spread} % over {len(errors)} realizations")
    known = evaluation.baselines("mnist-scale", scenario=given.regime)
    print(f"published, {known.source}:\n{known.table()}")


if __name__ == "__main__":
    main()
