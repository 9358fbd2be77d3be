"""Resizing stacks of square images by Catmull-Rom interpolation, with the bits of scikit-image 0.18.

Every step is a gather or an elementwise IEEE operation in float64, in a fixed order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stirdata.imaging.gaussian import radius_of, reflected, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    side = images.shape[1]
    source = prefiltered(images, size).astype(np.float64)
    along_x = _interpolate(source.transpose(0, 2, 1), size)
    along_y = _interpolate(along_x.transpose(0, 2, 1), size)
    flat = source.reshape(-1, side * side)
    low, high = flat.min(axis=1)[:, None, None], flat.max(axis=1)[:, None, None]
    return np.clip(along_y, low, high, out=along_y)


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


def _interpolate(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Resample (N, side, width) images along their second axis to (N, size, width).

    Catmull-Rom through four samples, ``x`` of the way from the second to the third:
    ``f1 + 0.5*x*(f2 - f0 + x*(2*f0 - 5*f1 + 4*f2 - f3 + x*(3*(f1 - f2) + f3 - f0)))``. What does not
    depend on x is computed once per gap between samples. The order of operations decides the last bits
    and must stay.
    """
    side = images.shape[1]
    positions = (side / size) * (np.arange(size) + 0.5) - 0.5
    below = np.floor(positions)
    x = (positions - below)[:, None]
    gaps = below.astype(np.int64) + 1  # the first gap is the one before the first pixel
    padded = np.take(images, reflected(side, 2), axis=1)
    f0, f1, f2, f3 = (padded[:, tap : side + 1 + tap] for tap in range(4))
    linear, square, cubic = f2 - f0, 2 * f0 - 5 * f1 + 4 * f2 - f3, 3 * (f1 - f2) + f3 - f0
    result: NDArray[np.float64] = np.take(cubic, gaps, axis=1)
    result *= x
    result += np.take(square, gaps, axis=1)
    result *= x
    result += np.take(linear, gaps, axis=1)
    result *= 0.5 * x
    result += np.take(f1, gaps, axis=1)
    return result
