"""Resizing batches of images to a size, each filter with the pixels of the library that it is known from.

Written against the array API, in whole numbers or in float64 with a fixed order of operations: NumPy arrays
and torch tensors on any device that has float64 give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import device, is_numpy_array

from stirdata.imaging.namespaces import array_namespace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 22
"""Of the fraction of Pillow's fixed-point weights: what 32 leave beside 8 of a pixel and 2 for sums."""
_BLOCK = 1 << 17
"""Numbers computed at a time: they stay in the cache of a processor."""
_SLAB = 16
"""Outputs that are computed by one product of matrices: of many inputs they need few."""
_ONE_THREAD = 1 << 17
"""Multiplications that are few enough for libraries not to split them into threads, which would cost more."""
_POLE = math.sqrt(3.0) - 2.0
"""Of the cubic B-spline's inverse. Source: Unser, Aldroubi, Eden, IEEE Trans. Signal Processing 41, 1993."""


def resize(images: Any, height: int, width: int, filter_: str = "bicubic") -> Any:
    """Resize images along x, then along y.

    ``bicubic`` gives the pixels of Pillow's ``Image.resize`` of 8-bit images, with antialiasing when it
    shrinks; ``bilinear`` those of torch's ``interpolate(mode="bilinear", align_corners=False)`` in float64
    without antialiasing, and ``spline`` those of SciPy's ``ndimage.zoom(image / 255, order=3)`` clipped to
    [0, 1], both rounded half to even.

    Args:
        images: uint8 (N, H, W) or (N, H, W, C): a NumPy array or a torch tensor.
        height: Of the results in pixels, 1 or more.
        width: Of the results in pixels, 1 or more.
        filter_: One of :data:`FILTERS`.

    Returns:
        uint8 (N, height, width) or (N, height, width, C), of the library and on the device of ``images``.

    Raises:
        ValueError: An argument is of another kind.

    Source: Pillow's ``ImagingResample``, torch's ``upsample_bilinear2d``, SciPy's ``ni_interpolation.c``.

    Examples:
        >>> resize(np.array([[[0, 200]]], dtype=np.uint8), 1, 4)
        array([[[  0,  41, 159, 218]]], dtype=uint8)
    """
    xp = array_namespace(images)
    if filter_ not in FILTERS or min(height, width) < 1 or images.ndim not in (3, 4):
        raise ValueError(f"images of shape {tuple(images.shape)} by {filter_!r} to {height} x {width}")
    count, *sides = images.shape[:3]
    channels = images.shape[3] if images.ndim == 4 else 1
    planes = xp.reshape(images, (count, *sides, channels))
    result = xp.zeros((count, height, width, channels), dtype=xp.uint8, device=device(images))
    if (height, width) == tuple(sides):
        result[...] = planes
        return xp.reshape(result, images.shape)
    largest = channels * max(*sides, height) * max(*sides, width)
    block = max(1, _BLOCK // largest)
    for start in range(0, count, block):
        part = planes[start : start + block, ...]
        result[start : start + block, ...] = FILTERS[filter_](xp, part, height, width)
    return xp.reshape(result, (count, height, width, *images.shape[3:]))


def _both_ways(xp: Any, planes: Any, height: int, width: int, along: Callable[[Any, Any, int], Any]) -> Any:
    """Apply a function that resizes (N, length, M) along its second axis to (N, H, W, C), x first."""
    count, rows, columns, channels = planes.shape
    if width != columns:
        turned = xp.reshape(xp.permute_dims(planes, (0, 2, 1, 3)), (count, columns, rows * channels))
        turned = xp.reshape(along(xp, turned, width), (count, width, rows, channels))
        planes = xp.permute_dims(turned, (0, 2, 1, 3))
    if height != rows:
        flat = xp.reshape(planes, (count, rows, width * channels))
        planes = xp.reshape(along(xp, flat, height), (count, height, width, channels))
    return planes


def _sum_of_taps(xp: Any, values: Any, taps: Any, weights: Any) -> Any:
    """Sum rows of (N, length, M) by weight, tap by tap: both (taps, size), the result (N, size, M)."""
    place = device(values)
    total = None
    for rows, factors in zip(taps, weights, strict=True):
        part = xp.take(values, xp.asarray(rows, device=place), axis=1)
        part *= xp.asarray(factors, device=place)[:, None]
        if total is None:
            total = part
        else:
            total += part
    return total


def _bicubic(xp: Any, planes: Any, height: int, width: int) -> Any:
    """Resize by sums of whole numbers below 2**53: in float64 they are exact, in whatever order."""
    count, rows, columns, channels = planes.shape
    # Bytes are turned, not the numbers of eight bytes each that are computed with.
    values = xp.reshape(xp.permute_dims(planes, (0, 3, 1, 2)), (count * channels, rows, columns))
    values = xp.astype(values, xp.float64)
    if width != columns:
        values = _levels(xp, _along_x(xp, values, width))
    if height != rows:
        values = _levels(xp, _along_y(xp, values, height))
    values = xp.reshape(xp.astype(values, xp.uint8), (count, channels, height, width))
    # Channel by channel: five times as quick as permuting axes, where the last one is as short as this.
    return xp.stack([values[:, channel, ...] for channel in range(channels)], axis=-1)


def _levels(xp: Any, sums: Any) -> Any:
    """Round sums to the levels of a pixel, as Pillow does after each axis."""
    sums += 0.5
    if is_numpy_array(sums):  # where there is a quicker way
        return np.clip(np.floor(sums, out=sums), 0.0, 255.0, out=sums)
    return xp.clip(xp.floor(sums), 0.0, 255.0)


def _product(first: Any, second: Any, result: Any) -> None:
    """Multiply matrices into a part of a larger array."""
    if is_numpy_array(result):
        np.matmul(first, second, out=result)
    else:
        result[...] = first @ second


def _along_x(xp: Any, values: Any, size: int) -> Any:
    count, rows, length = values.shape
    lines = xp.reshape(values, (count * rows, length))
    result = xp.empty((count * rows, size), dtype=xp.float64, device=device(values))
    for seen, used, weights in _slabs(length, size):
        matrix = xp.asarray(weights, device=device(values))
        step = max(1, _ONE_THREAD // weights.size) if is_numpy_array(values) else count * rows
        for start in range(0, count * rows, step):
            part = slice(start, start + step)
            _product(lines[part, used], matrix, result[part, seen])
    return xp.reshape(result, (count, rows, size))


def _along_y(xp: Any, values: Any, size: int) -> Any:
    count, length, columns = values.shape
    result = xp.empty((count, size, columns), dtype=xp.float64, device=device(values))
    for seen, used, weights in _slabs(length, size):
        matrix = xp.asarray(weights.T.copy(), device=device(values))
        _product(matrix, values[:, used, :], result[:, seen, :])
    return result


@lru_cache(maxsize=256)
def _slabs(length: int, size: int) -> list[tuple[slice, slice, NDArray[np.float64]]]:
    """Return Pillow's weights as parts of a matrix (length, size), which is 0 beside them.

    Each part is some outputs, the inputs that they are sums of, and the weights, (inputs, outputs).
    """
    scale = length / size
    shrink = max(1.0, scale)
    support = 2.0 * shrink
    matrix = np.zeros((length, size))
    for at in range(size):
        centre = (at + 0.5) * scale
        first = max(0, int(centre - support + 0.5))
        last = min(length, int(centre + support + 0.5))
        near = [_cubic((tap - centre + 0.5) * (1.0 / shrink)) for tap in range(first, last)]
        total = 0.0
        for weight in near:  # one after the other, as Pillow does; sum() is more precise in Python 3.12
            total += weight
        matrix[first:last, at] = [_fixed(weight / total) for weight in near]
    found = []
    for start in range(0, size, _SLAB):
        seen = slice(start, min(start + _SLAB, size))
        inputs = np.flatnonzero(matrix[:, seen].any(axis=1))
        used = slice(int(inputs[0]), int(inputs[-1]) + 1)
        found.append((seen, used, np.ascontiguousarray(matrix[used, seen]) * 2.0**-_BITS))
    return found


def _fixed(weight: float) -> int:
    exact = weight * (1 << _BITS)
    return int(exact - 0.5 if exact < 0 else exact + 0.5)


def _cubic(x: float) -> float:
    """The Catmull-Rom kernel, a = -0.5. Source: Keys, IEEE Trans. ASSP 29, 1981."""
    x = abs(x)
    if x < 1.0:
        return ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0
    return (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5 if x < 2.0 else 0.0


def _bilinear(xp: Any, planes: Any, height: int, width: int) -> Any:
    def along(xp: Any, values: Any, size: int) -> Any:
        return _sum_of_taps(xp, values, *_bilinear_taps(values.shape[1], size))

    resized = _both_ways(xp, xp.astype(planes, xp.float64), height, width, along)
    return xp.astype(xp.round(resized), xp.uint8)


@lru_cache(maxsize=256)
def _bilinear_taps(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    source = np.maximum((np.arange(size) + 0.5) * (length / size) - 0.5, 0.0)
    first = np.minimum(source.astype(np.int64), length - 1)
    fraction = np.clip(source - first, 0.0, 1.0)
    return np.stack([first, np.minimum(first + 1, length - 1)]), np.stack([1.0 - fraction, fraction])


def _spline(xp: Any, planes: Any, height: int, width: int) -> Any:
    def along(xp: Any, values: Any, size: int) -> Any:
        taps, weights = _spline_taps(values.shape[1], size)
        return _sum_of_taps(xp, _coefficients(xp, values), taps, weights)

    resized = xp.astype(planes, xp.float64) / 255.0
    resized = _both_ways(xp, resized, height, width, along)
    return xp.astype(xp.round(xp.clip(resized, 0.0, 1.0) * 255.0), xp.uint8)


def _coefficients(xp: Any, values: Any) -> Any:
    """Return the coefficients of the cubic spline through (N, length, M), mirrored about its end pixels."""
    length = values.shape[1]
    if length == 1:
        return values
    line = [values[:, at, :] * ((1.0 - _POLE) * (1.0 - 1.0 / _POLE)) for at in range(length)]
    end = _POLE ** (length - 1)
    first, power = line[0] + end * line[-1], _POLE
    for at in range(1, length - 1):
        first = first + power * (line[at] + end * line[length - 1 - at])
        power *= _POLE
    line[0] = first / (1.0 - end * end)
    for at in range(1, length):
        line[at] = line[at] + _POLE * line[at - 1]
    line[-1] = (_POLE * line[-2] + line[-1]) * _POLE / (_POLE * _POLE - 1.0)
    for at in range(length - 2, -1, -1):
        line[at] = _POLE * (line[at + 1] - line[at])
    return xp.stack(line, axis=1)


@lru_cache(maxsize=256)
def _spline_taps(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return taps and weights at positions whose first and last are the centres of the end pixels."""
    zoom = (length - 1) / (size - 1) if size > 1 else 1.0
    position = np.arange(size) * zoom
    floor = np.floor(position)
    taps = floor.astype(np.int64)[None] + np.arange(-1, 3)[:, None]
    period = max(1, 2 * (length - 1))
    taps = np.abs(taps) % period
    taps = np.where(taps > length - 1, period - taps, taps)
    y = position - floor
    z = 1.0 - y
    weights = np.stack(
        [z * z * z / 6.0, (y * y * (y - 2.0) * 3.0 + 4.0) / 6.0, (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0, y]
    )
    weights[3] = 1.0 - weights[0] - weights[1] - weights[2]
    # SciPy takes a position that rounding has moved beyond the last pixel for outside, where all is 0.
    return taps, np.where(position > length - 1, 0.0, weights)


FILTERS: dict[str, Callable[[Any, Any, int, int], Any]] = {
    "bicubic": _bicubic,
    "bilinear": _bilinear,
    "spline": _spline,
}
"""What :func:`resize` can use."""
