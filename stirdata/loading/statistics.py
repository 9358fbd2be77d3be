"""Mean and standard deviation of images, by sums of integers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS = 256
_PIECE_VALUES = 1 << 20  # counting widens every value to eight bytes


def mean_and_std(
    blocks: Iterable[NDArray[np.uint8]], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of all pixels per channel, in units of [0, 1].

    Args:
        blocks: Images, uint8 (B, H, W), or (B, H, W, 3) for three channels.
        channels: 1 or 3.

    Example:
        >>> mean_and_std([np.array([[[0, 255], [0, 255]]], np.uint8)], 1)
        ((0.5,), (0.5,))
    """
    counts = np.zeros((channels, _LEVELS), np.int64)
    for block in blocks:
        pixels = block.reshape(-1, channels)
        for start in range(0, len(pixels), _PIECE_VALUES):
            for channel in range(channels):
                values = pixels[start : start + _PIECE_VALUES, channel]
                counts[channel] += np.bincount(values, minlength=_LEVELS)
    means, stds = zip(*(_of_histogram([int(count) for count in row]) for row in counts), strict=True)
    return means, stds


def _of_histogram(counts: list[int]) -> tuple[float, float]:
    """Return mean and population standard deviation of levels, as 255th parts."""
    number = sum(counts)
    total = sum(level * count for level, count in enumerate(counts))
    squares = sum(level * level * count for level, count in enumerate(counts))
    variance = Fraction(squares * number - total * total, (255 * number) ** 2)
    return float(Fraction(total, 255 * number)), math.sqrt(variance)
