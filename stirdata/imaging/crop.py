"""A window of a picture resized by Lanczos, without resizing the rest of the picture.

Every pixel of the window has the bits that Pillow's ``resize(…, LANCZOS)`` of the whole picture gives.
Pillow resizes along x, rounds to 8 bits, then along y. One output pixel is a weighted sum of the
source pixels within three output pixels of its centre. The weights are computed in doubles and rounded
to multiples of 2**-22. Sums of such weights times 8-bit values are exact in float64, whatever the order
they are added in, so matrix products give the same bits on every machine.

Source: Pillow's documentation, "Concepts: Filters"; C. E. Duchon, "Lanczos Filtering in One and Two
Dimensions", Journal of Applied Meteorology 18 (1979).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stirdata.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOBES = 3
"""The filter reaches this many output pixels (source pixels when enlarging) to each side."""
WEIGHT_BITS = 22
"""Weights are rounded to multiples of 2**-22: 32 bits less 8 for the values and 2 to spare."""
BLOCK_VALUES = 1 << 17
"""Source values that are held as float64 at a time (1 MiB), unless one row has more."""
_PRODUCT = 1 << 18
"""Most multiplications in one matrix product. Beyond it OpenBLAS starts threads, which wait for each
other where workers use every core already (measured on two busy cores: 8 times slower)."""
_GROUP = 8
"""Neighbouring output pixels computed in one product: more multiply more zeros, fewer take more calls."""

# sin(t)/t as a power series in t², from the highest power; at |t| = pi the first term left out is below
# 1e-15, a hundred million times less than weights are rounded by. NumPy's sine differs between CPUs.
_SINC_SERIES = [(-1) ** n / math.factorial(2 * n + 1) for n in range(12, -1, -1)]

_BATCH = 8
"""Windows whose weights are computed together, because a call of NumPy takes longer than its work."""

ReadPart = Callable[[int, int, int, int], "NDArray[np.uint8]"]
"""Gives the pixels of (left, top, right, bottom), uint8, shape (bottom - top, right - left, 3)."""


class Window(NamedTuple):
    """Where a window of a resized picture is, in pixels.

    Attributes:
        width: Of the whole picture after resizing.
        height: Of the whole picture after resizing.
        left: Of the window in the resized picture.
        top: Of the window in the resized picture.
    """

    width: int
    height: int
    left: int
    top: int


class Weights(NamedTuple):
    """How the output pixels of one axis are summed from source pixels.

    Attributes:
        start: The first source pixel that takes part.
        stop: The source pixel after the last that takes part.
        first: Per group of neighbouring output pixels, its first source pixel, counted from ``start``.
        blocks: float64 multiples of 2**-22, shape (groups, source pixels, output pixels of a group).
    """

    start: int
    stop: int
    first: list[int]
    blocks: NDArray[np.float64]

    def groups(self, count: int) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
        """Yield output pixels, source pixels counted from ``start``, and the weights between them.

        Args:
            count: Output pixels in all; the last group may have fewer than the others.
        """
        for number, (first, block) in enumerate(zip(self.first, self.blocks, strict=True)):
            group = slice(number * _GROUP, min((number + 1) * _GROUP, count))
            taken = slice(first, min(first + len(block), self.stop - self.start))
            yield group, taken, block[: taken.stop - first, : group.stop - group.start]


def lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sinc(x) sinc(x/3) for -3 <= x < 3 and 0 elsewhere.

    With t = pi x/3 and p = sin(t)/t it is p² (1 - 4/3 (p t)²), because sin(3t) = 3 sin(t) - 4 sin³(t).
    The power series of p needs no division by zero at 0 and no sine of the machine's own.

    Source: Duchon (1979), with three lobes.
    """
    squared = (x * (math.pi / LOBES)) ** 2
    series = np.full_like(x, _SINC_SERIES[0])
    for coefficient in _SINC_SERIES[1:]:
        series *= squared
        series += coefficient
    series *= series
    squared *= series
    squared *= -4.0 / 3.0
    squared += 1.0
    series *= squared
    series *= (x >= -LOBES) & (x < LOBES)
    return series


def window_weights(
    size: Sequence[int], resized: Sequence[int], start: Sequence[int], count: int
) -> list[Weights]:
    """Return the weights of some output pixels of some axes.

    Args:
        size: Source pixels of each axis.
        resized: Pixels of each axis after resizing.
        start: First output pixel wanted of each axis.
        count: Output pixels wanted of each axis.

    Source: the order of the operations is that of Pillow's resampling.
    """
    lengths = np.array(size, np.int64)[:, None]
    step = lengths / np.array(resized, np.int64)[:, None]
    stretch = np.maximum(step, 1.0)
    centers = (np.array(start, np.int64)[:, None] + np.arange(count) + 0.5) * step
    low = np.maximum((centers - LOBES * stretch + 0.5).astype(np.int64), 0)
    high = np.minimum((centers + LOBES * stretch + 0.5).astype(np.int64), lengths)
    sources = low[:, :, None] + np.arange(int((high - low).max()))
    weights = lanczos((sources - centers[:, :, None] + 0.5) * (1.0 / stretch)[:, :, None])
    weights *= sources < high[:, :, None]
    # A running sum adds one by one, as Pillow does; NumPy's sum adds in an order of its own.
    weights = _quantised(weights / np.cumsum(weights, axis=2)[:, :, -1:])
    first = low[:, ::_GROUP]
    blocks = _blocks(sources - np.repeat(first, _GROUP, axis=1)[:, :count, None], weights)
    edges = zip(low[:, 0].tolist(), high[:, -1].tolist(), (first - low[:, :1]).tolist(), strict=True)
    return [Weights(*edge, block) for edge, block in zip(edges, blocks, strict=True)]


def _quantised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to multiples of 2**-22, halves away from zero."""
    scaled = weights * float(1 << WEIGHT_BITS)
    scaled += np.copysign(0.5, scaled)
    np.trunc(scaled, out=scaled)
    scaled *= 1.0 / (1 << WEIGHT_BITS)
    return scaled


def _blocks(columns: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread weights, (axes, output pixels, taps), over one small matrix per group of output pixels.

    Returns:
        float64, (axes, groups, source pixels, output pixels of a group).
    """
    axes, count, _ = weights.shape
    blocks = np.zeros((axes, -(-count // _GROUP), int(columns.max()) + 1, _GROUP))
    axis, pixel = np.arange(axes)[:, None, None], np.arange(count)[None, :, None]
    blocks[axis, pixel // _GROUP, columns, pixel % _GROUP] = weights
    return blocks


def crops_resized(
    read: ReadPart, size: tuple[int, int], windows: Sequence[Window], side: int = 64
) -> NDArray[np.uint8]:
    """Return windows of a picture resized by Lanczos.

    Args:
        read: Gives parts of the picture; see :data:`ReadPart`. It is asked for a few rows at a time.
        size: Width and height of the picture.
        windows: Which windows, each of a picture resized in its own way. It is fastest when
            neighbours in the list shrink the picture by similar factors.
        side: Width and height of the windows in pixels.

    Returns:
        uint8, shape (windows, side, side, 3): the bits of resizing all and cutting afterwards.

    Raises:
        ParameterError: A window is not inside its resized picture.
    """
    result = np.empty((len(windows), side, side, 3), np.uint8)
    for window in windows:
        _check(window, side)
    # One piece of memory for all: fresh memory of this size costs more than the arithmetic in it.
    scratch = np.empty(max(BLOCK_VALUES, 3 * size[0]))
    for start in range(0, len(windows), _BATCH):
        batch = windows[start : start + _BATCH]
        weights = window_weights(
            size * len(batch),
            [length for window in batch for length in window[:2]],
            [edge for window in batch for edge in window[2:]],
            side,
        )
        for number, axes in enumerate(zip(weights[0::2], weights[1::2], strict=True)):
            result[start + number] = _crop(read, *axes, side, scratch)
    return result


def _crop(
    read: ReadPart, across: Weights, down: Weights, side: int, scratch: NDArray[np.float64]
) -> NDArray[np.uint8]:
    rows, columns = down.stop - down.start, across.stop - across.start
    sums = np.empty((rows, 3, side))
    block = max(1, len(scratch) // (3 * columns))
    for row in range(0, rows, block):
        part = read(across.start, down.start + row, across.stop, down.start + min(row + block, rows))
        _resize_across(part, across, sums[row : row + block], scratch)
    return _resized_down(sums, down)


def _check(window: Window, side: int) -> None:
    fits = 0 <= window.left <= window.width - side and 0 <= window.top <= window.height - side
    if not fits or side < 1:
        raise ParameterError(
            "the window is not inside the resized picture",
            where="windows",
            expected=f"inside {window.width} x {window.height} pixels",
            got=f"left {window.left}, top {window.top}, side {side}",
        )


def _resize_across(
    part: NDArray[np.uint8], across: Weights, out: NDArray[np.float64], scratch: NDArray[np.float64]
) -> None:
    """Resize along x: (rows, columns, 3) to (rows, 3, side), whole values 0 to 255."""
    lines = scratch[: part.size].reshape(part.shape[0], 3, part.shape[1])
    np.copyto(lines, part.transpose(0, 2, 1))
    flat, sums = lines.reshape(-1, part.shape[1]), out.reshape(-1, out.shape[2])
    for group, taken, weights in across.groups(out.shape[2]):
        portion = max(1, _PRODUCT // weights.size)
        for start in range(0, len(flat), portion):
            chosen = slice(start, start + portion)
            np.matmul(flat[chosen, taken], weights, out=sums[chosen, group])
    _round(sums)


def _resized_down(lines: NDArray[np.float64], down: Weights) -> NDArray[np.uint8]:
    """Resize along y: (rows, channels, side) to (side, side, channels)."""
    rows, channels, side = lines.shape
    flat = lines.reshape(rows, -1)
    sums = np.empty((side, flat.shape[1]))
    portion = max(1, _PRODUCT // (_GROUP * flat.shape[1]))
    for group, taken, weights in down.groups(side):
        chosen = flat[taken]
        np.matmul(weights[:portion].T, chosen[:portion], out=sums[group])
        for start in range(portion, len(weights), portion):
            further = slice(start, start + portion)
            sums[group] += weights[further].T @ chosen[further]
    _round(sums)
    return sums.astype(np.uint8).reshape(side, channels, side).transpose(0, 2, 1)


def _round(sums: NDArray[np.float64]) -> None:
    """Round to whole values from 0 to 255, halves up, in place."""
    sums += 0.5
    np.floor(sums, out=sums)
    np.clip(sums, 0.0, 255.0, out=sums)
