"""Putting objects on canvases, each at its own position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def place_rows(
    objects: NDArray[np.float64], starts: NDArray[np.int32], canvas: int, wanted: range, margin: int
) -> NDArray[np.float64]:
    """Put each object on rows of zeros, from its own row on; repeat the edge rows beyond the canvas.

    Args:
        objects: float64, shape (N, size, width).
        starts: Row of each object's first row, integers, shape (N,), 0 to canvas - size.
        canvas: Number of rows of the canvas.
        wanted: Rows of the canvas to return.
        margin: Rows to add before and behind those, where beyond the canvas as copies of its edge rows.

    Returns:
        float64, shape (N, len(wanted) + 2 * margin, width).
    """
    count, size, width = objects.shape
    with_zero = np.zeros((count, size + 1, width))
    with_zero[:, :size] = objects
    canvas_rows = np.clip(np.arange(wanted.start - margin, wanted.stop + margin), 0, canvas - 1)
    rows = canvas_rows - starts[:, None].astype(np.int64)
    rows = np.where((rows >= 0) & (rows < size), rows, size)  # row ``size`` is the zero row
    rows += np.arange(count)[:, None] * (size + 1)
    return np.take(with_zero.reshape(count * (size + 1), width), rows, axis=0)


def reached_rows(objects: NDArray[np.float64], starts: NDArray[np.int32], canvas: int, margin: int) -> range:
    """Return the rows of the canvas from the first to the last that any object is near to.

    Args:
        objects: float64, shape (N, size, width).
        starts: Row of each object's first row, integers, shape (N,).
        canvas: Number of rows of the canvas.
        margin: How far from a value other than 0 a row still counts.
    """
    images, rows = np.nonzero(objects.any(axis=2))
    if not len(rows):
        return range(0)
    filled = rows + starts[images]
    return range(max(int(filled.min()) - margin, 0), min(int(filled.max()) + margin + 1, canvas))
