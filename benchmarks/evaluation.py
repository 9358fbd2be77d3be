"""Measures beside the bare forward passes of a small CNN over the same batches, in turns.

``python -m benchmarks.evaluation STIR_FILE [ROUNDS]``: a full-size STIR mnist set. The bare passes have their
batches in memory as floats; the measures read them from the file, convert, count, and shift. Ratios are
medians of the ratios within a round; memory is the peak of a process of its own, for all scales and for a
quarter of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.measure import clock, run
from stirdata import STIRDataset, evaluation

GENERALIZATION_BOUND = 1.15
CONSISTENCY_BOUND = 1.2
BATCH_SIZE = 256
SHIFTED = 256


def network(classes: int = 10) -> nn.Module:
    """Return three convolutions, the largest response of each feature, and a linear classifier."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after, stride in [(1, 16, 2), (16, 32, 1), (32, 64, 2)]:
        layers += [nn.Conv2d(before, after, 5, stride, padding=2), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, classes)).eval()


@torch.no_grad()
def bare(model: nn.Module, images: torch.Tensor, times: int = 1) -> None:
    """Run the model over batches, and do nothing with what it says."""
    for part in torch.split(images, BATCH_SIZE):
        for _ in range(times):
            model(part)
    if images.is_cuda:
        torch.cuda.synchronize()


def measure(path: Path, device: str, rounds: int) -> None:
    """Print both ratios."""
    dataset, model = STIRDataset(path), network().to(device)
    images = dataset.to_torch("test", shuffle=False, device=device).tensors[0]
    some = images[:: len(images) // SHIFTED][:SHIFTED]
    how: Any = {"device": device, "batch_size": BATCH_SIZE, "quiet": True}
    candidates = {
        "scale generalization": (
            lambda: evaluation.scale_generalization(model, dataset, **how),
            lambda: bare(model, images),
            GENERALIZATION_BOUND,
        ),
        "consistency, 49 shifts": (
            lambda: evaluation.shift_consistency(model, some, 3, **how),
            lambda: bare(model, some, times=49),
            CONSISTENCY_BOUND,
        ),
    }
    for name, (measured, plain, bound) in candidates.items():
        pairs = [(clock(measured), clock(plain)) for _ in range(rounds + 1)][1:]
        ratio = statistics.median(above / below for above, below in pairs)
        seconds = [statistics.median(side) for side in zip(*pairs, strict=True)]
        print(
            f"{device}: {name}: {seconds[0]:.2f} s, bare {seconds[1]:.2f} s: {ratio:.2f}x (at most {bound}x)"
        )


def remember(path: Path) -> None:
    """Print the peak memory for all scales, and for a quarter of them."""
    program = """
import sys
from benchmarks.evaluation import network
from stirdata import STIRDataset, evaluation
scales = range(17, int(sys.argv[2]))
evaluation.scale_generalization(network(), STIRDataset(sys.argv[1]), scales=scales, quiet=True)
"""
    peaks = [run([sys.executable, "-c", program, str(path), str(end)]).megabytes for end in (65, 29)]
    print(
        f"memory: 24,000 images {peaks[0]:.0f} MB, 6,000 images {peaks[1]:.0f} MB; "
        "the others are 295 MB as floats"
    )


def main() -> None:
    """Measure on the CPU, and on a GPU where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    given = parser.parse_args()
    remember(given.file)  # first: what a process has had counts for those that it starts
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        measure(given.file, device, given.rounds)


if __name__ == "__main__":
    main()
