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
                the canvas is set to 0.
            corners: Left and top of each window on its canvas, int64, shape (block, 2).
        """
        low, high = self._cut(windows, corners), windows.max(axis=(1, 2))
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
        """Set to 0 what is beyond the canvas; return the lowest value on each canvas."""
        canvas, (width, height) = self.levels.shape[1], windows.shape[1:]
        low = np.zeros(len(windows))
        for image, (x, y) in enumerate(corners.tolist()):
            columns, rows = slice(max(-x, 0), canvas - x), slice(max(-y, 0), canvas - y)
            windows[image, : columns.start], windows[image, columns.stop :] = 0, 0
            windows[image, :, : rows.start], windows[image, :, rows.stop :] = 0, 0
            if width - columns.start >= canvas and height - rows.start >= canvas:
                low[image] = windows[image, columns, rows].min()
        return low

    def _paste(self, block: slice, levels: NDArray[np.uint8], corners: NDArray[np.int64]) -> None:
        canvas, (width, height) = self.levels.shape[1], levels.shape[1:]
        for image, window, (x, y) in zip(self.levels[block], levels, corners.tolist(), strict=True):
            left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, canvas), min(y + height, canvas)
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
