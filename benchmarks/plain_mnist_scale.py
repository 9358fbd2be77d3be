"""The plain way to make MNIST-scale: one image at a time through Pillow, one PNG file each.

Run as ``python -m benchmarks.plain_mnist_scale SOURCE_DIR OUT``; the splits and scales are those of
the recipe, so that the pixels are too.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stirdata.families.mnist_scale import DRAW_ORDER
from stirdata.families.mnist_scale.recipe import draw_plan


def read(folder: Path, kind: str, offset: int) -> NDArray[np.uint8]:
    """Return the training part followed by the test part of the MNIST files of one kind."""
    parts = [
        gzip.decompress(next(folder.glob(f"{part}-{kind}*.gz")).read_bytes()) for part in ("train", "t10k")
    ]
    return np.concatenate([np.frombuffer(part, np.uint8, offset=offset) for part in parts])


def rescaled(image: NDArray[np.uint8], scale: float) -> Image.Image:
    """Rescale one image about the published centre."""
    factor = 1 / scale
    offset = factor * -14.5 + 0.0 * -14.5 + 14.5
    coefficients = (factor, 0.0, offset, 0.0, factor, offset)
    return Image.fromarray(image).transform(
        (28, 28), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC
    )


def main(source_dir: Path, out: Path) -> None:
    """Write the tree of seed 0."""
    images = read(source_dir, "images", 16).reshape(-1, 28, 28)
    labels = read(source_dir, "labels", 8)
    plan = draw_plan(labels, seed=0)
    number = 0
    for split in DRAW_ORDER:
        for label in range(10):
            (out / split / str(label)).mkdir(parents=True)
        for index, scale in zip(plan.source_index[split], plan.scales[split].tolist(), strict=True):
            rescaled(images[index], scale).save(out / split / str(labels[index]) / f"{number}.png")
            number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
