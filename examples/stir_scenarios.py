"""Train a small network on a STIR set in all four scenarios, and put it beside the eleven published ones.

    stirdata generate stir mnist --out mnist.npz
    python examples/stir_scenarios.py mnist.npz --set mnist --epochs 3 --out reports

Source of the scenarios and of the published accuracies: arXiv 2211.10288.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from stirdata import STIRDataset, evaluation, scenarios


def network(channels: int, classes: int) -> nn.Module:
    """Return three convolutions, the largest response of each feature, and a linear classifier."""
    layers: list[nn.Module] = []
    for before, after, stride in [(channels, 16, 2), (16, 32, 1), (32, 64, 2)]:
        layers += [nn.Conv2d(before, after, 5, stride, padding=2), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def train(
    model: nn.Module, dataset: STIRDataset, scenario: scenarios.Scenario, epochs: int, device: str
) -> None:
    """Train at the scales of a scenario."""
    batches = dataset.batches("train", scales=scenario.train, batch_size=50, device=device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    for _ in range(epochs):
        for images, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()


def main() -> None:
    """Train four networks, print how each does, and write a report of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", help="a STIR set: .npz, .h5, or a folder of .npy files")
    parser.add_argument("--set", default="mnist", help="emoji, mnist, trafficsign or aerial")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path("reports"))
    given = parser.parse_args()

    dataset = STIRDataset(given.file)
    for scenario in scenarios.ALL.values():
        torch.manual_seed(0)
        model = network(dataset.num_channels, dataset.num_classes).to(given.device)
        train(model, dataset, scenario, given.epochs, given.device)
        result = evaluation.scale_generalization(model, dataset, quiet=True)
        known = evaluation.baselines("stir", set=given.set, scenario=scenario.name)
        beside = result.compare(known)
        report = evaluation.Report(
            title=f"{dataset.metadata['title']}, {scenario.name}",
            facts={"dataset": [str(dataset.path)], "training": [f"{given.epochs} epochs"]},
            results={"generalization": result},
            published=known,
            comparison=beside,
            scenario=scenario.name,
        )
        report.save(given.out / scenario.name, force=True)
        ranks = [f"rank {beside.rank(part)} of {len(known.models) + 1} ({part})" for part in beside.own]
        parts = [f"{part} {accuracy:.1%}" for part, accuracy in beside.own.items()]
        print(f"{scenario.name:<12} {', '.join(parts)}; {', '.join(ranks)}", flush=True)
    print(f"reports: {given.out}/*/report.html")


if __name__ == "__main__":
    main()
