"""Train a small network on the small objects of a STIR set, and see how it does on larger ones.

    stirdata generate stir mnist --out mnist.npz
    python examples/small2large.py mnist.npz --epochs 3

This is scenario 1 of arXiv 2211.10288: training at 17 to 32 pixels, testing at 33 to 64 as well.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import nn

from stirdata import STIRDataset, scenarios

SCENARIO = scenarios.small2large


def network(channels: int, classes: int) -> nn.Module:
    """Return three convolutions, the largest response of each feature, and a linear classifier."""
    layers: list[nn.Module] = []
    for before, after, stride in [(channels, 16, 2), (16, 32, 1), (32, 64, 2)]:
        layers += [nn.Conv2d(before, after, 5, stride, padding=2), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def train(model: nn.Module, dataset: STIRDataset, epochs: int, device: str, seed: int) -> None:
    """Train at the scenario's own scales."""
    batches = dataset.batches("train", scales=SCENARIO.train, batch_size=50, seed=seed, device=device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for images, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item()
        own = accuracy(model, dataset, "valid", SCENARIO.valid, device).mean()
        print(f"epoch {epoch + 1:>2}  loss {total / len(batches):.3f}  valid accuracy {own:.1%}")
        model.train()


@torch.no_grad()
def accuracy(
    model: nn.Module, dataset: STIRDataset, split: str, scales: Sequence[int], device: str
) -> torch.Tensor:
    """Return the accuracy at each scale, in the order of the scales."""
    model.eval()
    # Without shuffling, images come scale by scale.
    batches = dataset.batches(split, scales=scales, batch_size=500, shuffle=False, device=device)
    correct = torch.cat([model(images).argmax(1) == labels for images, labels in batches])
    return correct.float().reshape(len(scales), -1).mean(1).cpu()


def main() -> None:
    """Train, then print the accuracy at the scales trained at, at larger ones, and at each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", help="a STIR set: .npz, .h5, or a folder of .npy files")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    torch.manual_seed(given.seed)
    dataset = STIRDataset(given.file)
    model = network(dataset.num_channels, dataset.num_classes).to(given.device)
    train(model, dataset, given.epochs, given.device, given.seed)
    for name, scales in (("own scales", SCENARIO.train), ("larger scales", SCENARIO.test)):
        found = accuracy(model, dataset, "test", scales, given.device)
        print(f"test accuracy at {name}, {scales[0]} to {scales[-1]} pixels: {found.mean():.1%}")
        print("  " + "  ".join(f"{s}: {a:.0%}" for s, a in list(zip(scales, found, strict=True))[::3]))


if __name__ == "__main__":
    main()
