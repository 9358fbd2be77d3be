"""The pixels of rescaled sets: images of a source resized, placed on a canvas, at every factor and shift.

Source: the articles named in :mod:`stirdata.families.scaled.benchmarks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.errors import ParameterError
from stirdata.executors import map_ordered
from stirdata.families.scaled.setting import LARGEST_CANVAS, Part, Setting, parts
from stirdata.imaging.contrast import smoothed_levels
from stirdata.imaging.fitting import on_canvases
from stirdata.imaging.resize import resize
from stirdata.loading.epochs import random_below, stream_key
from stirdata.sources.labelled import LabelledImages, Subset
from stirdata.storage.image_bytes import BlockedArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.executors import Workers
    from stirdata.families.family import Advance

LARGEST_SIDE = LARGEST_CANVAS
"""Of a rescaled image in pixels."""
_TASK_BYTES = 1 << 22
_FEWEST, _MOST = 8, 1000


class Rows(NamedTuple):
    """Which image is made of which, at which factor and where: one number or pair for each.

    Attributes:
        members: Positions in the subset of the source, int64 (N,).
        labels: int64 (N,).
        factors: float64 (N,).
        sizes: Width and height of the box in pixels, int32 (N, 2).
        positions: Left and top of the box, int32 (N, 2), negative where the canvas cuts it.
    """

    members: NDArray[np.int64]
    labels: NDArray[np.int64]
    factors: NDArray[np.float64]
    sizes: NDArray[np.int32]
    positions: NDArray[np.int32]


def make(
    source: LabelledImages,
    subsets: Mapping[str, Subset],
    setting: Setting,
    workers: Workers,
    advance: Advance,
) -> dict[str, NDArray[Any] | BlockedArray]:
    """Return the arrays of a set; images are computed when their blocks are asked for.

    Args:
        source: Says how its images are counted.
        subsets: What it read.
        setting: How to make the set.
        workers: Where to compute; the result does not depend on it.
        advance: Called with the number of images finished.

    Returns:
        ``<split>/images`` uint8 (N, canvas, canvas) or (N, canvas, canvas, 3), ``labels`` int64 (N,),
        ``factors`` float64 (N,), ``positions`` int32 (N, 2): left, top of the box, negative where the canvas
        cuts it; ``sizes`` int32 (N, 2): its width and height, in pixels; ``source_index`` int32 (N,), counted
        through train, val and test of the source. Factor by factor, within it shift by shift, within it
        in the order of the source.

    Raises:
        ParameterError: A box is too large, or vanishes, or an object does not fit where it has to.
    """
    arrays: dict[str, Any] = {}
    starts = dict(zip(source.counts, np.cumsum([0, *source.counts.values()]).tolist(), strict=False))
    for part in parts(source.counts, setting):
        subset = subsets[part.subset]
        rows = rows_of(part, subset, setting, starts[part.subset])
        shape = (len(rows.members), setting.canvas, setting.canvas, *source.shape[2:])
        arrays |= {
            f"{part.split}/images": _blocked(shape, subset, rows, setting, workers, advance),
            f"{part.split}/labels": rows.labels,
            f"{part.split}/factors": rows.factors,
            f"{part.split}/positions": rows.positions,
            f"{part.split}/sizes": rows.sizes,
            f"{part.split}/source_index": (starts[part.subset] + rows.members).astype(np.int32),
        }
    return arrays


def rows_of(part: Part, subset: Subset, setting: Setting, start: int) -> Rows:
    """Return which images a split has.

    Args:
        part: The split.
        subset: That it is made of.
        setting: How to make it.
        start: Images of the source before the subset.
    """
    members = np.arange(part.members.start, part.members.stop)
    test = part.split == "test"
    if setting.uniform is not None:
        drawn = _drawn_factors(setting, start + part.members.stop)
        factors, shifts = drawn[start + members], np.zeros((len(members), 2), np.int64)
    else:
        each = setting.factors if test else (setting.train_factor,)
        moves = np.array(setting.shifts if test and setting.place == "grid" else ((0, 0),), np.int64)
        factors = np.repeat(np.array(each, np.float64), len(moves) * len(members))
        shifts = np.tile(np.repeat(moves, len(members), axis=0), (len(each), 1))
        members = np.tile(members, len(each) * len(moves))
    heights, widths = _box(subset.sizes[members], factors).T
    tops = _centred(heights, setting) + shifts[:, 0]
    lefts = _centred(widths, setting) + shifts[:, 1]
    if test and setting.place == "random":
        tops, lefts = _random_places(part, members + start, factors, heights, widths, setting)
    return Rows(
        members,
        subset.labels[members],
        factors,
        np.stack([widths, heights], axis=1).astype(np.int32),
        np.stack([lefts, tops], axis=1).astype(np.int32),
    )


def _drawn_factors(setting: Setting, count: int) -> NDArray[np.float64]:
    """Return a factor for every image of the source: a stream of legacy NumPy, training images first."""
    low, high = setting.uniform or (1.0, 1.0)
    return np.random.RandomState(setting.seed).uniform(low, high, count)


def _box(sizes: NDArray[np.int32], factors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return height and width of the boxes, (N, 2); a half is rounded to the even number, as Python does."""
    boxes = np.rint(sizes * factors[:, None])
    if len(boxes) and (boxes.min() < 1 or boxes.max() > LARGEST_SIDE):
        bad = int(np.argmax(np.any((boxes < 1) | (boxes > LARGEST_SIDE), axis=1)))
        height, width = sizes[bad].tolist()
        raise ParameterError(
            "a rescaled image would have no pixels, or too many",
            where="factors",
            expected=f"factors that give sides of 1 to {LARGEST_SIDE} pixels",
            got=f"{factors[bad]:g}, of images of {width} x {height}",
        )
    return boxes.astype(np.int64)


def _centred(lengths: NDArray[np.int64], setting: Setting) -> NDArray[np.int64]:
    """Return where boxes in the middle begin.

    ``smooth`` cuts as MNIST Large Scale does, where the odd pixel is cut behind the box, not before it.
    """
    if setting.filter == "smooth":
        starts: NDArray[np.int64] = box_start(lengths, setting.canvas)
        return starts
    return (setting.canvas - lengths) // 2


def box_start(size: Any, canvas: int) -> Any:
    """Return where the box begins on the canvas of MNIST Large Scale; negative where the canvas cuts it.

    Padding has its odd pixel behind the box, cutting takes ``(size - canvas) // 2`` pixels before it.

    Examples:
        >>> box_start(47, 112), box_start(158, 112), box_start(159, 112)
        (32, -23, -23)

    Source: arXiv 2004.01536.
    """
    room = canvas - size  # halved towards zero; it may be an array
    return room // 2 + (room < 0) * (room % 2)


def _random_places(
    part: Part,
    index: NDArray[np.int64],
    factors: NDArray[np.float64],
    heights: NDArray[np.int64],
    widths: NDArray[np.int64],
    setting: Setting,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw top and left among all places where a box lies inside the canvas.

    Every image has numbers of its own, of (seed, split, factor, source index): a set of fewer factors or
    images has the same ones.
    """
    largest = int(max(heights.max(initial=0), widths.max(initial=0)))
    if largest > setting.canvas:
        raise ParameterError(
            "a rescaled image is larger than the canvas, so there is no place for it",
            where="place",
            expected=f"factors that give at most {setting.canvas} pixels, or --place centre, which cuts",
            got=f"{largest} pixels",
        )
    tops, lefts = np.empty_like(heights), np.empty_like(widths)
    for factor in np.unique(factors):
        rows = np.flatnonzero(factors == factor)
        key = stream_key(f"place/{part.split}/{float(factor)!r}", setting.seed, 0)
        for number, (places, lengths) in enumerate(((tops, heights), (lefts, widths))):
            places[rows] = random_below(key, 2 * index[rows] + number, setting.canvas - lengths[rows] + 1)
    return tops, lefts


class _Task(NamedTuple):
    read: Callable[[], Any]
    """Returns the images: in the worker, unless that is on a machine that has not the source."""
    sizes: NDArray[np.int32]
    positions: NDArray[np.int32]
    shape: tuple[int, ...]
    filter: str
    background: str


def _blocked(
    shape: tuple[int, ...],
    subset: Subset,
    rows: Rows,
    setting: Setting,
    workers: Workers,
    advance: Advance,
) -> BlockedArray:
    step = max(_FEWEST, min(_MOST, _TASK_BYTES // int(np.prod(shape[1:]))))

    def tasks() -> Iterator[_Task]:
        for start in range(0, shape[0], step):
            block = slice(start, min(start + step, shape[0]))
            read = partial(subset.images, rows.members[block])
            yield _Task(
                read if workers.dask is None else partial(_itself, read()),
                rows.sizes[block],
                rows.positions[block],
                (block.stop - start, *shape[1:]),
                setting.filter,
                setting.background,
            )

    def blocks() -> Iterator[NDArray[np.uint8]]:
        executor = workers.threads() if workers.dask is None else workers.processes()
        for images in map_ordered(executor, _draw, tasks(), ahead=2 * workers.slots + 1):
            yield images
            advance(len(images))

    return BlockedArray(shape, np.dtype(np.uint8), blocks)


def _itself(images: Any) -> Any:
    return images


def _draw(task: _Task) -> NDArray[np.uint8]:
    """Return images (N, canvas, canvas) or (N, canvas, canvas, 3) of a block; runs in a worker."""
    found = task.read()
    boxes = [(width, height) for width, height in task.sizes.tolist()]
    kinds = [(image.shape, box) for image, box in zip(found, boxes, strict=True)]
    if len(set(kinds)) == 1:
        return _drawn_alike(np.asarray(found), boxes[0], task.positions, task)
    canvas = np.empty(task.shape, np.uint8)
    for kind in dict.fromkeys(kinds):
        chosen = [at for at, other in enumerate(kinds) if other == kind]
        images = np.stack([found[at] for at in chosen])
        canvas[chosen] = _drawn_alike(images, kind[1], task.positions[chosen], task)
    return canvas


def _drawn_alike(
    images: NDArray[np.uint8], box: tuple[int, int], positions: NDArray[np.int32], task: _Task
) -> NDArray[np.uint8]:
    width, height = box
    if task.filter == "smooth":
        return smoothed_levels(images, width, positions, task.shape[1])
    return on_canvases(resize(images, height, width, task.filter), positions, task.shape[1], task.background)


def noise(counts: Mapping[str, int], side: int = 28) -> LabelledImages:
    """Return a source of noise with a dark border, always the same: grey images of ten classes."""
    total = sum(counts.values())
    images = np.zeros((total, side, side), np.uint8)
    inner = slice(side // 7, side - side // 7)
    images[:, inner, inner] = np.random.RandomState(0).randint(0, 256, images[:, inner, inner].shape)
    labels = np.arange(total) % 10
    ends = np.cumsum(list(counts.values())).tolist()
    subsets = {
        name: Subset.of(images[end - count : end], labels[end - count : end])
        for (name, count), end in zip(counts.items(), ends, strict=True)
    }
    description = {"name": "noise", "sha256": {}, "license": "CC0-1.0", "citation": "none"}
    classes = tuple("0123456789")
    return LabelledImages(classes, dict(counts), (side, side), description, lambda quiet: subsets)
