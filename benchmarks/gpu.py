"""What a GPU does with images, against the ways without kernels and against torch's own, in turns.

``python -m benchmarks.gpu STIR_FILE MNIST_SCALE_ROOT [ROUNDS]``: a full-size STIR mnist set, and a folder
that holds the realization 0 of MNIST-scale. Medians are printed, beside the bounds for an H200; without a GPU
all of it runs on the CPU, where the bounds mean nothing. Bits are compared before anything is measured. The
way from the disk to the GPU is in ``benchmarks.stir_loader``, small batches are in ``benchmarks.batches``.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from torch.nn import functional

from benchmarks.measure import in_rounds
from stirdata import MNISTScale, ScaleAugment, STIRDataset
from stirdata.imaging import bicubic
from stirdata.loading import tensors

MEAN, STD = 0.13, 0.31
CONVERSION_BOUND = 0.25
IMAGES_BOUND = 10e6
EPOCH_BOUND = 12.0


@contextmanager
def without_kernels() -> Iterator[None]:
    """Work step by step, as where there is no Triton."""

    def nowhere(device: object) -> None:
        return None

    with patch.object(bicubic, "kernels_for", nowhere), patch.object(tensors, "kernels_for", nowhere):
        yield


def timed(rounds: int, device: torch.device, **ways: Callable[[], object]) -> dict[str, float]:
    """Return the median milliseconds of each, which take turns, after one round that is not counted."""

    def whole(way: Callable[[], object]) -> None:
        way()
        if device.type == "cuda":
            torch.cuda.synchronize()

    seconds = in_rounds(rounds, {name: partial(whole, way) for name, way in ways.items()})
    return {name: statistics.median(several) * 1e3 for name, several in seconds.items()}


def report_conversion(images: torch.Tensor, rounds: int) -> None:
    """Measure how bytes become floats, normalised and not."""
    device, out = images.device, torch.empty(images.shape, device=images.device)
    for name, levels in (("as they are", ()), ("normalised", (MEAN, STD))):
        ours = tensors.Converter(device, *levels)
        with without_kernels():
            steps = tensors.Converter(device, *levels)

        def plain(levels: tuple[float, ...] = levels) -> torch.Tensor:
            values = images.float().div_(255)
            return values.sub_(levels[0]).div_(levels[1]) if levels else values

        if not torch.equal(ours(images), plain()) or not torch.equal(steps(images), plain()):
            raise SystemExit("the converted values differ")
        ours_once, steps_once = partial(ours, images, out), partial(steps, images, out)
        found = timed(rounds, device, ours=ours_once, steps=steps_once, plain=plain)
        times = ", ".join(f"{way} {taken:.2f} ms" for way, taken in found.items())
        print(
            f"{images.numel() / 1e6:.0f} MB to float32, {name}: {times} (ours at most {CONVERSION_BOUND} ms)"
        )


def report_rescaling(images: torch.Tensor, rounds: int) -> None:
    """Measure ScaleAugment, and torch's own interpolation, which gives other pixels."""
    augment, indices = ScaleAugment(0.5, 2.0, seed=0), torch.arange(len(images), device=images.device)
    factors = augment.factors(indices, 0).float()
    matrices = torch.zeros(len(images), 2, 3, device=images.device)
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / factors

    def steps() -> torch.Tensor:
        with without_kernels():
            result: torch.Tensor = augment(images, indices, 0)
        return result

    def torchs() -> torch.Tensor:
        grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
        return functional.grid_sample(images.float(), grid, mode="bicubic", align_corners=False)

    if not torch.equal(augment(images, indices, 0), steps()):
        raise SystemExit("the rescaled images differ")
    found = timed(
        rounds, images.device, ours=lambda: augment(images, indices, 0), steps=steps, grid_sample=torchs
    )
    rates = ", ".join(f"{way} {len(images) / taken * 1e3:,.0f}" for way, taken in found.items())
    print(
        f"ScaleAugment, {len(images)} images at once, images/s: {rates} (ours at least {IMAGES_BOUND:,.0f})"
    )


def report_epoch(dataset: MNISTScale, device: torch.device, rounds: int) -> None:
    """Measure an epoch of training batches with and without augmentation."""

    def epoch(augment: ScaleAugment | None) -> Callable[[], None]:
        batches = dataset.batches("train", batch_size=128, device=device, augment=augment)

        def drawn() -> None:
            for _ in batches:
                pass

        return drawn

    found = timed(rounds, device, augmented=epoch(ScaleAugment(0.5, 2.0, seed=0)), plain=epoch(None))
    times = ", ".join(f"{way} {taken:.1f} ms" for way, taken in found.items())
    print(f"an epoch of 10,000 images in batches of 128: {times} (augmented at most {EPOCH_BOUND} ms)")


def main() -> None:
    """Measure all of it."""
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(torch.cuda.get_device_name() if device.type == "cuda" else "no GPU: on the CPU")
    stir, digits = STIRDataset(Path(sys.argv[1])), MNISTScale(Path(sys.argv[2]))
    report_conversion(stir.to_torch("train", device=device, dtype=torch.uint8).images, rounds)
    report_rescaling(digits.to_torch("train", device=device, dtype=torch.uint8).images, rounds)
    report_epoch(digits, device, rounds)


if __name__ == "__main__":
    main()
