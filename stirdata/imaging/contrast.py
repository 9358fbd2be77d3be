"""Drawing out contrast by an arctangent, to the bit, at the price of a rough arctangent.

A level is ``255 * (t - min(t)) / (max(t) - min(t))`` cut to a whole number, where ``t`` is
``2/pi * arctan(0.02 * (v - 128))`` with the correctly rounded arctangent. Cutting hides all but the
first digits, so NumPy's arctangent, whose last bits depend on the machine, settles every pixel that
is farther from a whole number than any such difference could carry it. What is nearer, above all the
brightest pixel of each image, is computed again with :func:`stirdata.imaging.arctangent.arctan`. The
result is that of computing every pixel so, on every machine.

Source: arXiv 2211.10288, its generator of mnist, for the formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.imaging.arctangent import arctan

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEEPNESS = 0.02
MIDDLE = 128
NEAR = 1e-7
"""In levels: far more than arctangents differ by (1e-12), far less than many pixels come close to."""


class Contrast:
    """Levels of a stack of images, computed block by block and settled at the end.

    Args:
        shape: Of the stack: (N, width, height).

    Attributes:
        levels: uint8, of that shape; final after :meth:`settle`.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.levels = np.zeros(shape, np.uint8)
        self._low = np.zeros(shape[0])
        self._high = np.zeros(shape[0])
        self._doubtful: list[tuple[NDArray[np.int64], ...]] = []
        self._values: list[NDArray[np.float64]] = []

    def add(self, members: NDArray[np.int64], rows: range, values: NDArray[np.float64]) -> None:
        """Compute the levels of a block of images.

        Args:
            members: Numbers of the images, int64, shape (block,).
            rows: The part of the last axis that is given; the images are 0 outside.
            values: float64, shape (block, width, len(rows)), 0 to 255.
        """
        lowest = 0.0 if len(rows) < self.levels.shape[2] else 255.0
        low = values.min(axis=(1, 2), initial=lowest)
        high = values.max(axis=(1, 2), initial=0.0)
        self._low[members], self._high[members] = low, high
        rough = _rough_levels(values, low[:, None, None], high[:, None, None])
        levels = rough.astype(np.uint8)
        self.levels[members, :, rows.start : rows.stop] = levels
        rough -= levels
        images, columns, heights = np.nonzero((rough < 2 * NEAR) & (levels > 0))
        self._doubtful.append((members[images], columns, heights + rows.start))
        self._values.append(values[images, columns, heights])

    def settle(self) -> None:
        """Compute again, with the correctly rounded arctangent, what is too near to a whole number."""
        where = tuple(np.concatenate(part) for part in zip(*self._doubtful, strict=True))
        values = np.concatenate(self._values)
        self.levels[where] = exact_levels(values, self._low[where[0]], self._high[where[0]])
        self._doubtful.clear()
        self._values.clear()


def exact_levels(values: Any, low: Any, high: Any) -> NDArray[np.uint8]:
    """Return the levels of pixels in images whose smallest and largest values are given; all (N,)."""
    t, t_low, t_high = 2 / np.pi * arctan(STEEPNESS * (np.stack([values, low, high]) - MIDDLE))
    levels: NDArray[np.uint8] = (255 * (t - t_low) / (t_high - t_low)).astype(np.uint8)
    return levels


def _rough_levels(values: NDArray[np.float64], low: Any, high: Any) -> NDArray[np.float64]:
    """Return the levels before cutting, plus NEAR, with the arctangent of this machine's NumPy."""
    t_low, t_high = (np.arctan(STEEPNESS * (limit - MIDDLE)) for limit in (low, high))
    range_ = t_high - t_low
    gain = np.divide(255, range_, out=np.zeros_like(range_), where=range_ > 0)
    result = values - MIDDLE
    result *= STEEPNESS
    np.arctan(result, out=result)
    result -= t_low
    result *= gain
    result += NEAR
    return result
