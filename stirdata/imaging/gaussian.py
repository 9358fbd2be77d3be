"""Gaussian filters with the same bits on every machine.

The weights come from correctly rounded exponentials, and everything after that is IEEE additions,
multiplications and divisions of doubles in one fixed order: that of NumPy and SciPy, whose last bits
decide whether a white area stays 255 or is cut to 254 where the result becomes a whole number.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import cache, reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUNCATE = 4.0
"""Where the filter ends, in units of sigma."""

_DIGITS = 40


def radius_of(sigma: float) -> int:
    """Return how many pixels the filter reaches to either side.

    Source: ``int(truncate * sigma + 0.5)``, as in SciPy's ``gaussian_filter1d``.
    """
    return int(TRUNCATE * sigma + 0.5)


@cache
def weights(sigma: float) -> tuple[float, ...]:
    """Return the weights of the centre and of the neighbours at distance 1, 2, … radius.

    They are exp(-k**2 / (2 sigma**2)), each rounded to the nearest double (by 40 decimal digits),
    divided by their sum over both sides.

    Examples:
        >>> weights(0.5)
        (0.7865707258873422, 0.10645077197359151, 0.00026386508273735414)

    Source: SciPy's ``gaussian_filter1d``, for the order in which the sum is taken.
    """
    if radius_of(sigma) == 0:
        return (1.0,)
    factor = -0.5 / (sigma * sigma)
    with localcontext(Context(prec=_DIGITS)):
        side = [float(Decimal(factor * distance**2).exp()) for distance in range(1, radius_of(sigma) + 1)]
    total = _sum([*side[::-1], 1.0, *side])
    return tuple(value / total for value in [1.0, *side])


def _sum(values: list[float]) -> float:
    """Add up to 128 doubles in the order of NumPy's ``sum``: eight partial sums, then the rest.

    Not by Python's own ``sum``, which since 3.12 compensates for rounding.
    """
    whole = len(values) // 8 * 8
    total = 0.0
    if whole:
        r = [reduce(add, values[lane:whole:8]) for lane in range(8)]
        total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
    return reduce(add, values[whole:], total)


def smooth(padded: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Filter along the second axis of a stack that is padded by the radius at both ends of this axis.

    Args:
        padded: float64, shape (N, length + 2 * radius, width).
        sigma: In pixels.

    Returns:
        float64, shape (N, length, width).

    Source: the order of operations is that of SciPy's ``correlate1d`` for symmetric weights.
    """
    half = weights(sigma)
    radius = len(half) - 1
    length = padded.shape[1] - 2 * radius
    result = padded[:, radius : radius + length] * half[0]
    pair = np.empty_like(result)
    for distance in range(radius, 0, -1):
        before, after = radius - distance, radius + distance
        np.add(padded[:, before : before + length], padded[:, after : after + length], out=pair)
        np.multiply(pair, half[distance], out=pair)
        np.add(result, pair, out=result)
    return result


def reflected(length: int, margin: int) -> NDArray[np.int64]:
    """Return the positions -margin … length + margin - 1, reflected into 0 … length - 1.

    The edge pixel is not repeated: position -1 is 1. ``margin`` is below ``length``.
    """
    positions = np.abs(np.arange(-margin, length + margin))
    return np.where(positions >= length, 2 * (length - 1) - positions, positions)


def surrounded(
    objects: NDArray[np.float64], starts: NDArray[np.int64], canvas: int, first: int, last: int
) -> NDArray[np.float64]:
    """Put each object on rows of zeros, from its own row on, and return the rows around it.

    Beyond the canvas the rows are copies of its edge rows, which are those of the object where this
    lies at the edge.

    Args:
        objects: float64, shape (N, size, width).
        starts: Row of each object's first row, shape (N,); rows beyond the canvas do not count.
        canvas: Number of rows of the canvas.
        first: First row to return, counted from the object's first one; negative for one before it.
        last: The one behind the last row to return, counted likewise.

    Returns:
        float64, shape (N, last - first, width).
    """
    count, size, width = objects.shape
    with_zero = np.zeros((count, size + 1, width))
    with_zero[:, :size] = objects
    canvas_rows = np.clip(starts[:, None] + np.arange(first, last), 0, canvas - 1)
    rows = canvas_rows - starts[:, None]
    rows = np.where((rows >= 0) & (rows < size), rows, size)  # row ``size`` is the zero row
    rows += np.arange(count)[:, None] * (size + 1)
    found: NDArray[np.float64] = np.take(with_zero.reshape(count * (size + 1), width), rows, axis=0)
    return found
