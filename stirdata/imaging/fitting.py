"""Fitting a picture into a square box, and the box onto a canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHADES = {"black": 0, "white": 255}


def over_shade(picture: NDArray[np.uint8], shade: int) -> NDArray[np.uint8]:
    """Lay a picture with opacity over an even shade of grey.

    Args:
        picture: Red, green, blue and opacity, uint8, shape (height, width, 4).
        shade: 0 to 255.

    Returns:
        uint8, shape (height, width, 3), rounded to the nearest level.
    """
    colours, opacity = picture[:, :, :3].astype(np.int32), picture[:, :, 3:].astype(np.int32)
    mixed = colours * opacity + shade * (255 - opacity)
    return ((mixed + 127) // 255).astype(np.uint8)


def fitted_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height whose longer one is ``size``, in the same proportion, at least 1.

    Example:
        >>> fitted_size(200, 100, 17)
        (17, 9)
    """
    longer = max(width, height)
    return max(1, (2 * width * size + longer) // (2 * longer)), max(
        1, (2 * height * size + longer) // (2 * longer)
    )


def resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a picture so that its longer side is ``size``, by Pillow's bicubic filter.

    Its weights are polynomials and its sums are of whole numbers, so they are the same everywhere.

    Args:
        picture: uint8, shape (height, width, 3).
        size: In pixels.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    target = fitted_size(width, height, size)
    return np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.BICUBIC))


def as_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of a picture, uint8, shape (height, width), as Pillow computes it (BT.601)."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).convert("L"))


def on_canvas(
    picture: NDArray[np.uint8], left: int, top: int, box: int, canvas: int, background: str
) -> NDArray[np.uint8]:
    """Put a picture into the middle of a square box on a canvas.

    Args:
        picture: uint8, shape (height, width) or (height, width, 3), at most ``box`` either way.
        left: Distance of the box to the left edge in pixels.
        top: Distance of the box to the top edge in pixels.
        box: Side of the box.
        canvas: Side of the canvas.
        background: ``black``, ``white``, or ``edge``: every pixel outside is that of the picture's edge
            nearest to it.
    """
    height, width = picture.shape[:2]
    first_row, first_column = top + (box - height) // 2, left + (box - width) // 2
    if background == "edge":
        rows = np.clip(np.arange(canvas) - first_row, 0, height - 1)
        columns = np.clip(np.arange(canvas) - first_column, 0, width - 1)
        extended: NDArray[np.uint8] = picture[rows[:, None], columns]
        return extended
    result = np.full((canvas, canvas, *picture.shape[2:]), SHADES[background], np.uint8)
    result[first_row : first_row + height, first_column : first_column + width] = picture
    return result
