"""Surroundings of objects that are placed on canvases, each at its own position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def surrounded(
    objects: NDArray[np.float64], starts: NDArray[np.int64], canvas: int, margin: int
) -> NDArray[np.float64]:
    """Put each object on rows of zeros, from its own row on, and return the rows around it.

    Beyond the canvas the rows are copies of its edge rows, which are those of the object where this
    lies at the edge.

    Args:
        objects: float64, shape (N, size, width).
        starts: Row of each object's first row, shape (N,), 0 to canvas - size.
        canvas: Number of rows of the canvas.
        margin: Rows to return before and behind the object.

    Returns:
        float64, shape (N, size + 2 * margin, width); the first row is ``starts - margin``.
    """
    count, size, width = objects.shape
    with_zero = np.zeros((count, size + 1, width))
    with_zero[:, :size] = objects
    canvas_rows = np.clip(starts[:, None] + np.arange(-margin, size + margin), 0, canvas - 1)
    rows = canvas_rows - starts[:, None]
    rows = np.where((rows >= 0) & (rows < size), rows, size)  # row ``size`` is the zero row
    rows += np.arange(count)[:, None] * (size + 1)
    return np.take(with_zero.reshape(count * (size + 1), width), rows, axis=0)
