"""The pixels of MNIST Large Scale: digits resized, centred on a canvas, smoothed, with full contrast.

Source: arXiv 2004.01536; the operations are those of STIR mnist (arXiv 2211.10288), which points there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.executors import Workers, map_ordered
from stirdata.families.scaled import SPLITS, TRAIN_FACTOR
from stirdata.imaging.contrast import smoothed_levels
from stirdata.sources.idx import DigitImages
from stirdata.storage.image_bytes import BlockedArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.families.family import Advance

MNIST_COUNTS = (50_000, 10_000, 10_000)
"""Of train, val and test: the training images of MNIST in file order, then its test images."""
_TASK_IMAGES = 250

_Task = tuple["NDArray[np.uint8]", int, int, int]


def large_scale(
    digits: DigitImages,
    factors: Sequence[float],
    canvas: int,
    counts: tuple[int, int, int],
    workers: Workers,
    advance: Advance,
) -> dict[str, NDArray[Any] | BlockedArray]:
    """Return the arrays of a set; images are computed when their blocks are asked for.

    Args:
        digits: Images uint8 (N, side, side) and labels, at least as many as the counts together.
        factors: Of the test images; train and val are made at factor 1.
        canvas: Side of the images in pixels.
        counts: Source images of train, val and test, one after another.
        workers: Where to compute; the result does not depend on it.
        advance: Called with the number of images finished.

    Returns:
        ``<split>/images`` uint8 (N, canvas, canvas), ``labels`` int64 (N,), ``factors`` float64 (N,),
        ``positions`` int32 (N, 2): left, top of the box, negative where the canvas cuts it; ``sizes``
        int32 (N, 2): its width and height, in pixels; ``source_index`` int32 (N,). Factor by factor, within
        it in the order of the source.

    Source: arXiv 2004.01536.
    """
    arrays: dict[str, Any] = {}
    first = 0
    for split, count in zip(SPLITS, counts, strict=True):
        chosen = factors if split == "test" else (TRAIN_FACTOR,)
        members = np.arange(first, first + count)
        arrays |= _split(split, digits, members, chosen, canvas, workers, advance)
        first += count
    return arrays


def _split(
    split: str,
    digits: DigitImages,
    members: NDArray[np.int64],
    factors: Sequence[float],
    canvas: int,
    workers: Workers,
    advance: Advance,
) -> dict[str, Any]:
    side = digits.images.shape[1]
    sizes = [box_size(side, factor) for factor in factors]
    starts = [box_start(size, canvas) for size in sizes]
    each = np.repeat(np.arange(len(factors)), len(members))
    index = np.tile(members, len(factors))

    def tasks() -> Iterator[_Task]:
        for size, start in zip(sizes, starts, strict=True):
            for at in range(0, len(members), _TASK_IMAGES):
                yield digits.images[members[at : at + _TASK_IMAGES]], size, start, canvas

    def blocks() -> Iterator[NDArray[np.uint8]]:
        executor = workers.threads() if workers.dask is None else workers.processes()
        for images in map_ordered(executor, _draw, tasks(), ahead=2 * workers.slots + 1):
            yield images
            advance(len(images))

    shape = (len(index), canvas, canvas)
    return {
        f"{split}/images": BlockedArray(shape, np.dtype(np.uint8), blocks),
        f"{split}/labels": digits.labels[index].astype(np.int64),
        f"{split}/factors": np.array(factors, np.float64)[each],
        f"{split}/positions": np.array(starts, np.int32)[each][:, None].repeat(2, axis=1),
        f"{split}/sizes": np.array(sizes, np.int32)[each][:, None].repeat(2, axis=1),
        f"{split}/source_index": index.astype(np.int32),
    }


def box_size(side: int, factor: float) -> int:
    """Return the side of the rescaled image in pixels, at least 1.

    Example:
        >>> box_size(28, 2 ** -0.25)
        24
    """
    return max(1, round(side * factor))


def box_start(size: int, canvas: int) -> int:
    """Return where the box begins on the canvas; negative where the canvas cuts it.

    Padding has its odd pixel behind the box, cutting takes ``(size - canvas) // 2`` pixels before it.

    Example:
        >>> box_start(47, 112), box_start(158, 112), box_start(159, 112)
        (32, -23, -23)

    Source: arXiv 2004.01536.
    """
    return (canvas - size) // 2 if size <= canvas else -((size - canvas) // 2)


def _draw(task: _Task) -> NDArray[np.uint8]:
    """Return images (N, canvas, canvas) of digits at a size; runs in a worker."""
    digits, size, start, canvas = task
    return smoothed_levels(digits, size, np.full((len(digits), 2), start), canvas)


def noise(count: int = 90) -> DigitImages:
    """Return digits of noise with a dark border, always the same: uint8 (count, 28, 28), labels in turn."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 4:24, 4:24] = np.random.RandomState(0).randint(0, 256, (count, 20, 20))
    return DigitImages(images, (np.arange(count) % 10).astype(np.uint8))
