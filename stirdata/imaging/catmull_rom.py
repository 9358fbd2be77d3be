"""Resizing stacks of square images by Catmull-Rom interpolation, with the bits of scikit-image 0.18.

Every step is a gather or an elementwise IEEE operation in float64, in a fixed order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.imaging.gaussian import radius_of, reflected, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Content(NamedTuple):
    """The part of resized images that is not 0 in all of them.

    Attributes:
        pixels: float64, shape (N, len(rows), len(columns)).
        rows: Where it is in the resized images.
        columns: Where it is in the resized images.
    """

    pixels: NDArray[np.float64]
    rows: range
    columns: range


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """Resize square images; where they shrink, a Gaussian takes away what the new grid cannot hold.

    Args:
        images: uint8, shape (N, side, side).
        size: New side in pixels.

    Returns:
        float64, shape (N, size, size), within the range of each (prefiltered) image.

    Source: scikit-image 0.18, ``transform.resize`` with ``order=3`` and anti-aliasing, as the STIR
    generators use it (arXiv 2211.10288). Later versions give other pixels.
    """
    pixels, rows, columns = resize_content(images, size)
    result = np.zeros((len(images), size, size))
    result[:, rows.start : rows.stop, columns.start : columns.stop] = pixels
    return result


def resize_content(
    images: NDArray[np.uint8], size: int, rows: range | None = None, columns: range | None = None
) -> Content:
    """Resize as :func:`resize` does, but compute only what is not 0 in all images.

    Args:
        images: uint8, shape (N, side, side).
        size: New side in pixels.
        rows: Those of the resized images that are wanted; None for all.
        columns: Likewise.
    """
    source = prefiltered(images, size)
    filled = source.any(axis=0)
    rows, columns = (
        _common(_reached(np.any(filled, axis=axis), size), wanted)
        for axis, wanted in ((1, rows), (0, columns))
    )
    low, high = (limit(axis=(1, 2))[:, None, None] for limit in (source.min, source.max))
    along_x = _interpolate(source.astype(np.float64).transpose(0, 2, 1), size, columns)
    along_y = _interpolate(along_x.transpose(0, 2, 1), size, rows)
    np.clip(along_y, low, high, out=along_y)
    return Content(along_y, rows, columns)


def _reached(filled: Any, size: int) -> range:
    """Return the new positions from the first to the last that has a filled old position among its taps."""
    below = np.floor(_positions(len(filled), size)).astype(np.int64)
    padded = np.take(filled, reflected(len(filled), 2))
    reached = np.flatnonzero(padded[below + 1] | padded[below + 2] | padded[below + 3] | padded[below + 4])
    return range(int(reached[0]), int(reached[-1]) + 1) if len(reached) else range(0)


def _common(reached: range, wanted: range | None) -> range:
    """Return the part of a range that is wanted."""
    if wanted is None:
        return reached
    start = max(reached.start, wanted.start)
    return range(start, max(start, min(reached.stop, wanted.stop)))


def _positions(side: int, size: int) -> NDArray[np.float64]:
    """Return where the centres of the new pixels are among the old ones."""
    return np.asarray((side / size) * (np.arange(size) + 0.5) - 0.5, dtype=np.float64)


def prefiltered(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Smooth images that are to shrink, along y then x, cutting each pass to whole numbers.

    Sigma is ``(side / size - 1) / 2``; images that do not shrink are returned as they are.

    Source: scikit-image 0.18, ``transform.resize``, whose filter works on the type of its input.
    """
    side = images.shape[1]
    sigma = (side / size - 1) / 2
    if sigma <= 0 or radius_of(sigma) == 0:
        return images
    rows = reflected(side, radius_of(sigma))
    for _ in range(2):
        padded = images[:, rows].astype(np.float64)
        images = smooth(padded, sigma).astype(np.uint8).transpose(0, 2, 1)
    return images


def _interpolate(images: NDArray[np.float64], size: int, wanted: range) -> NDArray[np.float64]:
    """Resample (N, side, width) images along their second axis; return the wanted of the new positions.

    Catmull-Rom through four samples, ``x`` of the way from the second to the third:
    ``f1 + 0.5*x*(f2 - f0 + x*(2*f0 - 5*f1 + 4*f2 - f3 + x*(3*(f1 - f2) + f3 - f0)))``. What does not
    depend on x is computed once per gap between samples. The order of operations decides the last bits
    and must stay.
    """
    side = images.shape[1]
    positions = _positions(side, size)[wanted.start : wanted.stop]
    below = np.floor(positions)
    x = (positions - below)[:, None]
    gaps = below.astype(np.int64) + 1  # the first gap is the one before the first pixel
    first, last = (int(gaps[0]), int(gaps[-1]) + 1) if len(gaps) else (0, 0)
    padded = np.take(images, reflected(side, 2)[first : last + 3], axis=1)
    f0, f1, f2, f3 = (padded[:, tap : last - first + tap] for tap in range(4))
    gaps -= first
    linear, square, cubic = f2 - f0, 2 * f0 - 5 * f1 + 4 * f2 - f3, 3 * (f1 - f2) + f3 - f0
    result: NDArray[np.float64] = np.take(cubic, gaps, axis=1)
    result *= x
    result += np.take(square, gaps, axis=1)
    result *= x
    result += np.take(linear, gaps, axis=1)
    result *= 0.5 * x
    result += np.take(f1, gaps, axis=1)
    return result
