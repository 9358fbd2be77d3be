"""The arrays of STL-10: the official bytes, turned from column by column to row by row."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.sources import stl10
from stirdata.storage.image_bytes import BlockedArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.families.family import Advance, Material
    from stirdata.sources.labelled import Subset

_BLOCK = 500
"""Images that are turned together."""
_IMAGE = (stl10.SIDE, stl10.SIDE, 3)


def make(
    source_dir: Path | None, material: Material, advance: Advance, *, unlabeled: bool
) -> dict[str, NDArray[Any] | BlockedArray]:
    """Return the arrays of STL-10; those of images are turned, or read, when their blocks are asked for.

    Args:
        source_dir: As for :func:`stirdata.sources.stl10.labelled`.
        material: What the jobs of one command share.
        advance: Called with the number of images finished.
        unlabeled: Whether the unlabeled images are among them.

    Returns:
        ``train/images`` and ``test/images`` uint8 (N, 96, 96, 3), ``train/labels`` and ``test/labels`` int64
        (N,), counted from 0, ``folds`` int32 (10, 1000), positions of training images counted from 0, and
        ``unlabeled/images`` uint8 (100000, 96, 96, 3).

    Raises:
        MissingFileError: Files are not in the folder.
        SourceError: A file is damaged or another one.
        SourceUnavailableError: The archive is not in the cache, and not to be downloaded.
    """
    quiet = material.quiet
    subsets, folds = material.once(f"stl10 {source_dir}", lambda: stl10.with_folds(source_dir, quiet=quiet))
    arrays: dict[str, Any] = {"folds": folds}
    for split, subset in subsets.items():
        arrays[f"{split}/images"] = _blocked(len(subset), partial(_turned, subset), advance)
        arrays[f"{split}/labels"] = subset.labels
    if unlabeled:
        read = partial(stl10.unlabeled, source_dir, quiet=quiet)
        arrays["unlabeled/images"] = _blocked(stl10.UNLABELED, read, advance)
    return arrays


def _turned(subset: Subset) -> Iterator[Any]:
    for start in range(0, len(subset), _BLOCK):
        yield subset.images(np.arange(start, min(start + _BLOCK, len(subset))))


def _blocked(count: int, read: Any, advance: Advance) -> BlockedArray:
    def blocks() -> Iterator[NDArray[np.uint8]]:
        for images in read():
            yield images
            advance(len(images))

    return BlockedArray((count, *_IMAGE), np.dtype(np.uint8), blocks)


def noise(advance: Advance) -> dict[str, NDArray[Any]]:
    """Return the arrays of 20 train, 10 test and 5 unlabeled images of noise, with folds of two images."""
    values = np.random.RandomState(0)
    counts = {"train": 20, "test": 10, "unlabeled": 5}
    arrays: dict[str, NDArray[Any]] = {"folds": np.arange(20, dtype=np.int32).reshape(10, 2)[:, ::-1].copy()}
    for split, count in counts.items():
        arrays[f"{split}/images"] = values.randint(0, 256, (count, *_IMAGE)).astype(np.uint8)
        if split != "unlabeled":
            arrays[f"{split}/labels"] = np.arange(count) % 10
        advance(count)
    return arrays
