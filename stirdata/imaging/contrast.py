"""Smoothed objects whose contrast is drawn out by an arctangent: to the bit, at the price of a rough one.

A level is ``255 * (t - min(t)) / (max(t) - min(t))`` cut to a whole number, where ``t`` is
``2/pi * arctan(0.02 * (v - 128))`` with the correctly rounded arctangent. Cutting hides all but the
first digits, so NumPy's arctangent, whose last bits depend on the machine, settles every pixel that
is farther from a whole number than any such difference could carry it. What is nearer, above all the
brightest pixel of each image, is computed again with :func:`arctan`. The result is that of computing
every pixel so, on every machine.

The arctangents of math libraries, and within NumPy those of different processors, differ in the last
bit. Here the value is computed twice as precisely as a double holds, in pairs of doubles ("double
double") by nothing but IEEE additions, multiplications and divisions, which are the same everywhere,
with an error of less than 2**-95 of the value. Wherever this leaves a doubt about the nearest double,
60 decimal digits decide. Rounding correctly leaves one answer, so no machine can give another.

Source: arXiv 2211.10288, its generator of mnist (the formula); T. J. Dekker, "A floating-point technique
for extending the available precision", Numerische Mathematik 18, 1971 (exact sums and products); A. Ziv,
"Fast evaluation of elementary mathematical functions with correctly rounded last bit", ACM TOMS 17, 1991
(rounding with a doubt).
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.imaging.catmull_rom import Content, resize_content
from stirdata.imaging.gaussian import radius_of, smooth, surrounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEEPNESS = 0.02
MIDDLE = 128
NEAR = 1e-7
"""In levels: far more than arctangents differ by (1e-12), far less than many pixels come close to."""
LARGEST_ARGUMENT = 4.0
"""Largest absolute value of an argument of :func:`arctan`."""

_STEPS = 32  # the table holds arctan(k / 32)
_TERMS = 10  # of the series; the first one left out is below 2**-120 of the sum
_DOUBT = 2.0**-95  # bound of the relative error of a pair
_SPLIT = 2.0**27 + 1.0  # halves the 53 bits of a double
_DIGITS = 60


_SMOOTHING = 7 / 8
"""Of the filter, in pixels of the object. Source: arXiv 2211.10288, its generator of mnist."""
_BLOCK_PIXELS = 150_000  # few enough for the processor's caches, enough for NumPy to be busy with numbers
_FEWEST_IMAGES, _MOST_IMAGES = 4, 100


def smoothed_levels(
    objects: NDArray[np.uint8], size: int, positions: NDArray[np.integer], canvas: int
) -> NDArray[np.uint8]:
    """Draw square objects at one size, each at its own place on a canvas, smoothed, with full contrast.

    Args:
        objects: uint8, shape (N, side, side).
        size: New side of the objects in pixels.
        positions: Left and top of each object on its canvas, shape (N, 2); what lies beyond is cut off.
        canvas: Side of the canvases in pixels.

    Returns:
        uint8, shape (N, canvas, canvas).

    Source: arXiv 2211.10288, its generator of mnist; arXiv 2004.01536 for canvases that cut objects.
    """
    contrast = Contrast(len(objects), canvas)
    order = _by_extent(objects)
    objects, places = objects[order], positions[order].astype(np.int64)
    sigma = _SMOOTHING * size / objects.shape[1]
    side = min(size + 2 * radius_of(sigma), canvas)
    step = max(_FEWEST_IMAGES, min(_MOST_IMAGES, _BLOCK_PIXELS // side**2))
    for start in range(0, len(objects), step):
        block = slice(start, start + step)
        (left, right), (top, bottom) = (_on_canvases(at, size, 0, canvas) for at in places[block].T)
        content = resize_content(objects[block], size, range(top, bottom), range(left, right))
        contrast.add(start, *_smoothed(content, sigma, places[block], canvas))
    contrast.settle()
    return contrast.levels[np.argsort(order)]


def _by_extent(objects: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return an order in which neighbours fill about the same part of their frames.

    What a block of images computes is what any of them fills.
    """
    filled = objects > 0
    return np.lexsort([filled.any(axis=axis).argmax(axis=1) for axis in (1, 2)])


def _smoothed(
    content: Content, sigma: float, positions: NDArray[np.int64], canvas: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Place objects on canvases and smooth these along y, then x, as far as anything is not 0.

    Returns:
        Windows of the canvases, float64, shape (N, width, height), x before y; left and top of each
        window, int64, shape (N, 2), which may be beyond the canvas.
    """
    corners = positions + np.array([content.columns.start, content.rows.start])
    pixels, margin = content.pixels, radius_of(sigma)
    for axis in (1, 0):
        size = pixels.shape[1]
        # One margin is what smoothing spreads, the other what it needs to know and does not return.
        first, last = _on_canvases(corners[:, axis], size, margin, canvas)
        padded = surrounded(pixels, corners[:, axis], canvas, first - margin, last + margin)
        pixels = smooth(padded, sigma).transpose(0, 2, 1)
        corners[:, axis] += first
    return pixels.transpose(0, 2, 1), corners


def _on_canvases(starts: NDArray[np.int64], size: int, margin: int, canvas: int) -> tuple[int, int]:
    """Return which lines of objects, and of a margin around them, are on any of their canvases.

    Args:
        starts: Line of each canvas where its object begins, shape (N,).
        size: Lines of the objects.
        margin: Lines before and behind them.
        canvas: Lines of the canvases.

    Returns:
        The first, and the one behind the last, counted from the beginning of the objects.
    """
    first, last = max(-margin, -int(starts.max())), min(size + margin, canvas - int(starts.min()))
    return first, max(first, last)


class Contrast:
    """Levels of a stack of square images, computed block by block and settled at the end.

    Images are given by a window each, outside which they are 0. A window may reach over the canvas.

    Args:
        count: Number of images.
        canvas: Their side.

    Attributes:
        levels: uint8, shape (count, canvas, canvas), rows before columns; final after :meth:`settle`.
    """

    def __init__(self, count: int, canvas: int) -> None:
        self.levels = np.zeros((count, canvas, canvas), np.uint8)
        self._low = np.zeros(count)
        self._high = np.zeros(count)
        self._doubtful: list[tuple[NDArray[np.int64], ...]] = []
        self._values: list[NDArray[np.float64]] = []

    def add(self, start: int, windows: NDArray[np.float64], corners: NDArray[np.int64]) -> None:
        """Compute the levels of the images ``start``, ``start + 1``, and so on.

        Args:
            start: Number of the first image.
            windows: float64, shape (block, width, height), columns before rows, 0 to 255. What is beyond
                the canvas is overwritten.
            corners: Left and top of each window on its canvas, int64, shape (block, 2).
        """
        low, high = self._cut(windows, corners), windows.max(axis=(1, 2), initial=0)
        block = slice(start, start + len(windows))
        self._low[block], self._high[block] = low, high
        rough = _rough_levels(windows, low, high)
        levels = rough.astype(np.uint8)
        self._paste(block, levels, corners)
        rough -= 2 * NEAR
        doubtful = np.flatnonzero(rough.astype(np.uint8) != levels)
        images, columns, rows = np.unravel_index(doubtful, levels.shape)
        left, top = corners[images].T
        self._doubtful.append((images + start, top + rows, left + columns))
        self._values.append(windows.reshape(-1)[doubtful])

    def settle(self) -> None:
        """Compute again, with the correctly rounded arctangent, what is too near to a whole number."""
        where = tuple(np.concatenate(part) for part in zip(*self._doubtful, strict=True))
        values = np.concatenate(self._values)
        self.levels[where] = exact_levels(values, self._low[where[0]], self._high[where[0]])
        self._doubtful.clear()
        self._values.clear()

    def _cut(self, windows: NDArray[np.float64], corners: NDArray[np.int64]) -> NDArray[np.float64]:
        """Set what is beyond the canvas to the lowest value on it, and return that of every canvas."""
        canvas, (width, height) = self.levels.shape[1], windows.shape[1:]
        low = np.zeros(len(windows))
        for image, (x, y) in enumerate(corners.tolist()):
            columns = slice(max(-x, 0), max(canvas - x, 0))
            rows = slice(max(-y, 0), max(canvas - y, 0))
            if x <= 0 and y <= 0 and x + width >= canvas and y + height >= canvas:  # else some of it is 0
                low[image] = windows[image, columns, rows].min()
            windows[image, : columns.start], windows[image, columns.stop :] = low[image], low[image]
            windows[image, :, : rows.start], windows[image, :, rows.stop :] = low[image], low[image]
        return low

    def _paste(self, block: slice, levels: NDArray[np.uint8], corners: NDArray[np.int64]) -> None:
        canvas, (width, height) = self.levels.shape[1], levels.shape[1:]
        for image, window, (x, y) in zip(self.levels[block], levels, corners.tolist(), strict=True):
            left, right = min(max(x, 0), canvas), min(max(x + width, 0), canvas)
            top, bottom = min(max(y, 0), canvas), min(max(y + height, 0), canvas)
            image[top:bottom, left:right] = window[left - x : right - x, top - y : bottom - y].T


def exact_levels(values: Any, low: Any, high: Any) -> NDArray[np.uint8]:
    """Return the levels of pixels in images whose smallest and largest values are given; all (N,)."""
    t, t_low, t_high = 2 / np.pi * arctan(STEEPNESS * (np.stack([values, low, high]) - MIDDLE))
    levels: NDArray[np.uint8] = (255 * (t - t_low) / (t_high - t_low)).astype(np.uint8)
    return levels


def _rough_levels(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the levels before cutting, plus NEAR, with the arctangent of this machine's NumPy."""
    t_low, t_high = (np.arctan(STEEPNESS * (limit - MIDDLE)) for limit in (low, high))
    range_ = t_high - t_low
    gain = np.divide(255, range_, out=np.zeros_like(range_), where=range_ > 0)
    result = values - MIDDLE
    result *= STEEPNESS
    np.arctan(result, out=result)
    result *= gain[:, None, None]
    result += (NEAR - t_low * gain)[:, None, None]
    return result


class _Pair(NamedTuple):
    """An unevaluated sum of two doubles, the second at most half a unit in the last place of the first."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]


def arctan(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correctly rounded arctangent of each value.

    Args:
        values: float64, any shape, of absolute value at most 4.

    Returns:
        float64, same shape, in radians.

    Raises:
        ValueError: A value is above 4 in absolute value, or not a number.

    Examples:
        >>> [float(value).hex() for value in arctan(np.array([0.5, 1.0]))]
        ['0x1.dac670561bb4fp-2', '0x1.921fb54442d18p-1']
    """
    if not np.all(np.abs(values) <= LARGEST_ARGUMENT):
        raise ValueError(f"arguments must be numbers from -{LARGEST_ARGUMENT:g} to {LARGEST_ARGUMENT:g}")
    high, low = _arctan_pair(values)
    doubt = np.abs(high) * _DOUBT
    nearest = high + (low + doubt)
    doubtful = nearest != high + (low - doubt)
    nearest[doubtful] = [float(in_decimals(value)) for value in values[doubtful].tolist()]
    return nearest


def in_decimals(value: float) -> Decimal:
    """Return the arctangent of a double to 60 digits; some 50 microseconds each."""
    with localcontext(Context(prec=_DIGITS)):
        step = round(value * _STEPS)
        centre = Decimal(step) / _STEPS
        rest = _series((Decimal(value) - centre) / (1 + Decimal(value) * centre))
        return rest + _at_steps()[abs(step)].copy_sign(Decimal(step))


def _arctan_pair(x: NDArray[np.float64]) -> _Pair:
    """Use arctan(x) = arctan(c) + arctan((x - c) / (1 + x c)), where c is the nearest table entry."""
    step = np.rint(x * _STEPS)
    centre = step / _STEPS
    product = _exact_product(x, centre)
    denominator = _plus(product, _Pair(np.ones_like(x), np.zeros_like(x)))
    # x - centre is exact: either centre is 0, or the two are within a factor of two of each other.
    rest = _arctan_of_small(_quotient(x - centre, denominator))
    highs, lows = _table()
    rows = step.astype(np.int64) + (len(highs) // 2)
    return _plus(_Pair(highs[rows], lows[rows]), rest)


def _arctan_of_small(z: _Pair) -> _Pair:
    """Sum z - z**3/3 + z**5/5 - …, for absolute values of at most 1/64."""
    square = _times(z, z)
    total = _reciprocal_pair(2 * _TERMS - 1, z.high.shape)
    for term in range(_TERMS - 2, -1, -1):
        falling = _times(total, square)
        total = _plus(_reciprocal_pair(2 * term + 1, z.high.shape), _Pair(-falling.high, -falling.low))
    return _times(total, z)


def _reciprocal_pair(number: int, shape: tuple[int, ...]) -> _Pair:
    high, low = _as_pair(1 / Decimal(number))
    return _Pair(np.full(shape, high), np.full(shape, low))


def _as_pair(value: Decimal) -> tuple[float, float]:
    high = float(value)
    return high, float(value - Decimal(high))


@cache
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return high and low parts of arctan(k / 32) for k = -128 … 128."""
    upwards = [_as_pair(value) for value in _at_steps()]
    high, low = np.array([(-high, -low) for high, low in upwards[:0:-1]] + upwards).T
    return np.ascontiguousarray(high), np.ascontiguousarray(low)


@cache
def _at_steps() -> list[Decimal]:
    """Return arctan(k / 32) for k = 0 … 128, each from the one before by the difference formula."""
    values = [Decimal(0)]
    with localcontext(Context(prec=_DIGITS)):
        for step in range(1, int(LARGEST_ARGUMENT) * _STEPS + 1):
            difference = Decimal(_STEPS) / (_STEPS * _STEPS + step * (step - 1))
            values.append(values[-1] + _series(difference))
    return values


def _series(z: Decimal) -> Decimal:
    """Sum the series of arctan for a small argument until nothing changes, in the current precision."""
    total, power, square, odd = z, z, z * z, 1
    while True:
        power, odd = -power * square, odd + 2
        longer = total + power / odd
        if longer == total:
            return total
        total = longer


def _exact_sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> _Pair:
    total = a + b
    part = total - a
    return _Pair(total, (a - (total - part)) + (b - part))


def _exact_product(a: NDArray[np.float64], b: NDArray[np.float64]) -> _Pair:
    product = a * b
    a_high, b_high = a * _SPLIT, b * _SPLIT
    a_high, b_high = a_high - (a_high - a), b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return _Pair(product, error)


def _plus(a: _Pair, b: _Pair) -> _Pair:
    high = _exact_sum(a.high, b.high)
    low = _exact_sum(a.low, b.low)
    first = _exact_sum(high.high, high.low + low.high)
    return _exact_sum(first.high, first.low + low.low)


def _times(a: _Pair, b: _Pair) -> _Pair:
    product = _exact_product(a.high, b.high)
    return _exact_sum(product.high, product.low + (a.high * b.low + a.low * b.high))


def _quotient(a: NDArray[np.float64], b: _Pair) -> _Pair:
    """Divide a double by a pair: two digits of a long division, in base 2**53."""
    first = a / b.high
    back = _times(_Pair(first, np.zeros_like(first)), b)
    remainder = _plus(_Pair(a, np.zeros_like(a)), _Pair(-back.high, -back.low))
    second = remainder.high / b.high
    third = _times(_Pair(second, np.zeros_like(second)), b)
    rest = _plus(remainder, _Pair(-third.high, -third.low)).high / b.high
    quotient = _exact_sum(first, second)
    return _exact_sum(quotient.high, quotient.low + rest)
