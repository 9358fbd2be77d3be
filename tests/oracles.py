"""What stirdata's results are compared with: other people's libraries and literal loops."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pillow_rescaled(images: NDArray[np.uint8], scales: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Rescale image by image with Pillow's own transform, the coefficients as the recipe has them."""
    return np.stack([_pillow_one(*pair) for pair in zip(images, scales.tolist(), strict=True)])


def _pillow_one(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    side = len(image)
    centre = side * 0.5 + 0.5
    factor = 1 / scale
    offset = factor * -centre + 0 * -centre
    offset += centre
    coefficients = (factor, 0, offset, 0, factor, offset)
    transformed = Image.fromarray(image).transform(
        (side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC
    )
    return np.asarray(transformed)


def sklearn_members(
    labels: NDArray[np.integer], seed: int, train: int, val: int, test: int
) -> dict[str, NDArray[np.int64]]:
    """Split twice with scikit-learn, one RandomState for both, as the published script does."""
    from sklearn.model_selection import train_test_split

    stream = np.random.RandomState(seed)
    kept, tested = train_test_split(
        np.arange(len(labels)),
        train_size=train + val,
        test_size=test,
        stratify=labels,
        random_state=stream,
    )
    trained, validated = train_test_split(
        kept, train_size=train, test_size=val, stratify=labels[kept], random_state=stream
    )
    return {"train": trained, "val": validated, "test": tested}


def looped_scales(
    seed: int, min_scale: float, max_scale: float, *, train: int, val: int, test: int
) -> dict[str, list[float]]:
    """Draw a rotation and a scale per image with Python's own ``uniform``, train, then test, then val."""
    stream = random.Random(seed)
    drawn: dict[str, list[float]] = {}
    for split, count in (("train", train), ("test", test), ("val", val)):
        drawn[split] = []
        for _ in range(count):
            stream.uniform(0.0, 0.0)
            drawn[split].append(stream.uniform(min_scale, max_scale))
    return drawn
