"""Images that are nearly equal, found without comparing all of them with all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PARTS = 4
"""In which an image is cut along each axis."""
_ROWS, _TOGETHER = 256, 1 << 18
"""Images and pairs whose summaries are compared at a time: they stay in the cache."""
_READ = 1 << 11
"""Pairs whose images are compared at a time."""
_ROUNDING = 1e-3

Read = Callable[["NDArray[np.int64]"], "NDArray[Any]"]
"""Returns images by their numbers."""


class Likeness(NamedTuple):
    """Images that are like others.

    Attributes:
        numbers: Of those images, ascending: int64 (N,).
        twins: Which image each of them is most like; of several the first: int64 (N,).
    """

    numbers: NDArray[np.int64]
    twins: NDArray[np.int64]


class Summary(NamedTuple):
    """What tells most images apart: the sums over parts of each, over the number of all its values.

    Two images differ on average at least by as much as their summaries differ in all: a difference of sums is
    at most the sum of the differences.

    Attributes:
        coarse: Of sixteen parts, fewer of tiny images: float32 (N, parts).
        fine: Of four times as many: float32 (N, parts).
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]

    def of(self, numbers: NDArray[np.int64]) -> Summary:
        """Return the summary of some of the images."""
        return Summary(self.coarse[numbers], self.fine[numbers])


def summary(images: NDArray[Any]) -> Summary:
    """Return the summary of images: uint8 or float32, (N, height, width) or (N, height, width, channels).

    Examples:
        >>> summary(np.full((1, 8, 8), 32, np.uint8)).coarse[0, :2]
        array([2., 2.], dtype=float32)
    """
    count, height, width = images.shape[:3]
    channels = images.shape[3] if images.ndim > 3 else 1
    lines = images.reshape(count, height, width, channels).sum(axis=3, dtype=np.float64)
    lines /= height * width * channels
    return Summary(_sums(lines, _PARTS), _sums(lines, 2 * _PARTS))


def _sums(values: NDArray[np.float64], parts: int) -> NDArray[np.float32]:
    """Return the sums of (N, height, width) over as many parts along each axis: (N, parts * parts)."""
    count, height, width = values.shape
    rows, columns = (np.unique(np.arange(parts) * side // parts) for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=1), columns, axis=2)
    return sums.reshape(count, len(rows) * len(columns)).astype(np.float32)


def joined(parts: Sequence[Summary]) -> Summary:
    """Return the summary of several lots of images together; there is at least one."""
    return Summary(*(np.concatenate(sums) for sums in zip(*parts, strict=True)))


def alike(
    one: Summary,
    other: Summary,
    most: float,
    read_one: Read,
    read_other: Read,
    *,
    within: bool = False,
) -> Likeness:
    """Return which images of another set are like one of a set: different, but on average by so little.

    Args:
        one: Of the images of the set.
        other: Likewise of the other set, whose images have the same shape.
        most: Average difference of two images' values, in levels.
        read_one: Returns images of the set.
        read_other: Likewise of the other set.
        within: Whether both sets are the same: then each image is compared with those before it.
    """
    found: dict[int, tuple[float, int]] = {}
    for numbers, twins in _candidates(one, other, most, within=within):
        for start in range(0, len(numbers), _READ):
            number, twin = numbers[start : start + _READ], twins[start : start + _READ]
            differences = _differences(read_other(number), read_one(twin))
            for at in np.flatnonzero((differences > 0) & (differences <= most)).tolist():
                likeness = float(differences[at]), int(twin[at])
                found[int(number[at])] = min(found.get(int(number[at]), likeness), likeness)
    ascending = sorted(found)
    closest = [found[number][1] for number in ascending]
    return Likeness(np.array(ascending, np.int64), np.array(closest, np.int64))


def _candidates(
    one: Summary, other: Summary, most: float, *, within: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield images of the other set, and images of the one, whose summaries do not tell them apart."""
    limit = most + _ROUNDING
    totals_one, totals_other = (each.coarse.sum(axis=1, dtype=np.float64) for each in (one, other))
    order_one, order_other = (np.argsort(totals, kind="stable") for totals in (totals_one, totals_other))
    sorted_one = totals_one[order_one]
    for start in range(0, len(order_other), _ROWS):
        rows = order_other[start : start + _ROWS]
        first = int(np.searchsorted(sorted_one, totals_other[rows[0]] - limit, "left"))
        last = int(np.searchsorted(sorted_one, totals_other[rows[-1]] + limit, "right"))
        for begin in range(first, last, _TOGETHER // _ROWS):
            columns = order_one[begin : min(last, begin + _TOGETHER // _ROWS)]
            distance = np.zeros((len(rows), len(columns)), np.float32)
            for part in range(one.coarse.shape[1]):
                distance += np.abs(other.coarse[rows, part][:, None] - one.coarse[columns, part])
            near = distance <= limit
            if within:
                near &= columns < rows[:, None]
            at, to = np.nonzero(near)
            numbers, twins = rows[at].astype(np.int64), columns[to].astype(np.int64)
            left = np.abs(other.fine[numbers] - one.fine[twins]).sum(axis=1) <= limit
            yield numbers[left], twins[left]


def _differences(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return the average difference of the values of images, pair by pair."""
    wide = np.int16 if one.dtype == np.uint8 else np.float64
    difference = np.abs(one.astype(wide) - other.astype(wide)).reshape(len(one), -1)
    return np.asarray(difference.mean(axis=1, dtype=np.float64))
