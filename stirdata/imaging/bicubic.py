"""Rescaling batches of small images about a point, with the bits of Pillow's bicubic transform.

Every step is an elementwise IEEE operation in float64 or a gather, written against the array API, so
NumPy arrays and torch tensors on any device that has float64 give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from array_api_compat import array_namespace, device

from stirdata.executors import map_ordered, threads

BLOCK_IMAGES = 256
"""Images per block: its float64 arrays fit the second-level cache of today's processors."""


def rescale(
    images: Any,
    scales: Any,
    *,
    workers: int = 1,
    block: int = BLOCK_IMAGES,
    crop: bool = True,
    advance: Callable[[int], None] | None = None,
) -> Any:
    """Rescale each image by its own factor about the published centre, on its own canvas.

    The centre is ``side * 0.5 + 0.5``, half a pixel off the true one, as in the published recipe. What
    comes from outside the image is 0.

    Args:
        images: Grey images, uint8, shape (N, side, side): a NumPy array or a torch tensor.
        scales: Factors above 0, float64, shape (N,), of the same library and on the same device.
        workers: Threads to use; the result does not depend on it. Leave it at 1 on a GPU.
        block: Images per block, 1 or more; the result does not depend on it. On a GPU take 16384 or more.
        crop: Leave out what no image of a block reaches; the result does not depend on it. It saves time
            where all factors are small, but a GPU has to be waited for in order to know what is reached.
        advance: Called with the number of images finished, after each block.

    Returns:
        Rescaled images, uint8, shape (N, side, side), of the library and on the device of ``images``.

    Raises:
        ValueError: The shapes do not fit each other, or ``block`` is below 1.

    Source: arXiv 1910.11093, section 6.1 and its data scripts; the arithmetic is that of Pillow's
    ``Image.transform`` with ``AFFINE`` and ``BICUBIC``.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 4, 4), 200, dtype=np.uint8)
        >>> rescale(image, np.array([0.5]))[0]
        array([[  0,   0,   0,   0],
               [  0, 200, 200,   0],
               [  0, 200, 200,   0],
               [  0,   0,   0,   0]], dtype=uint8)
    """
    if images.ndim != 3 or images.shape[1] != images.shape[2] or tuple(scales.shape) != (images.shape[0],):
        shapes = f"{tuple(images.shape)} and {tuple(scales.shape)}"
        raise ValueError(f"images and scales must have shapes (N, side, side) and (N,), got {shapes}")
    if block < 1:
        raise ValueError(f"block must be 1 or more, got {block}")
    xp = array_namespace(images, scales)
    result = xp.zeros_like(images)

    def finish(members: Any) -> int:
        part = rescale_block(xp.take(images, members, axis=0), xp.take(scales, members, axis=0), crop=crop)
        result[members, ...] = part
        return int(members.shape[0])

    with threads(workers) as executor:
        for count in map_ordered(executor, finish, _blocks(xp, scales, block), ahead=2 * workers):
            if advance is not None:
                advance(count)
    return result


def _blocks(xp: Any, scales: Any, size: int) -> Iterator[Any]:
    """Yield index arrays of images of similar scale, so that a block computes little it throws away."""
    order = xp.argsort(scales, stable=True)
    for start in range(0, order.shape[0], size):
        yield order[start : start + size]


def rescale_block(images: Any, scales: Any, *, crop: bool = True) -> Any:
    """Rescale one block of images; see :func:`rescale`, which splits its work into blocks."""
    xp = array_namespace(images, scales)
    side = images.shape[1]
    inside, nearest, fraction = _sample_points(xp, scales, side)
    first, last = _extent(xp, inside) if crop else (0, side)
    result = xp.zeros_like(images)
    if first == last:
        return result
    inside, nearest = inside[:, first:last], nearest[:, first:last]
    fraction = fraction[:, first:last, None]
    taps = _tap_rows(xp, nearest, side)
    # First along x for every row, then along y: the order in which Pillow rounds. A pass gathers whole
    # rows, so the axis it runs along is made the first one of each image.
    columns = xp.astype(xp.permute_dims(images, (0, 2, 1)), xp.float64)
    along_x = _pass(xp, columns, taps, fraction)
    along_y = _pass(xp, xp.permute_dims(along_x, (0, 2, 1)), taps, fraction)
    values = xp.clip(along_y, 0.0, 255.0)
    zero = xp.zeros((1, 1, 1), dtype=xp.float64, device=device(images))
    values = xp.where(inside[:, :, None] & inside[:, None, :], values, zero)
    result[:, first:last, first:last] = xp.astype(values, images.dtype)
    return result


def _sample_points(xp: Any, scales: Any, side: int) -> tuple[Any, Any, Any]:
    """Return, per image and output position: inside or not, the tap below (int64), the fraction above it."""
    centre = side * 0.5 + 0.5
    factor = 1.0 / scales
    offset = factor * -centre + 0.0 * -centre
    offset = offset + centre
    positions = xp.arange(side, dtype=xp.float64, device=device(scales)) + 0.5
    source = factor[:, None] * positions[None, :] + offset[:, None]
    inside = (source >= 0.0) & (source < side)
    source = xp.where(inside, source, xp.zeros_like(source)) - 0.5
    below = xp.floor(source)
    return inside, xp.astype(below, xp.int64), source - below


def _extent(xp: Any, inside: Any) -> tuple[int, int]:
    """Return the first output position that any image of the block reaches, and one past the last."""
    reached = [position for position, any_inside in enumerate(xp.any(inside, axis=0).tolist()) if any_inside]
    return (reached[0], reached[-1] + 1) if reached else (0, 0)


def _tap_rows(xp: Any, nearest: Any, side: int) -> list[Any]:
    """Return for each of the four taps the row numbers in a block laid out as (count * side) rows."""
    count = nearest.shape[0]
    start = xp.arange(count, dtype=xp.int64, device=device(nearest))[:, None] * side
    return [xp.reshape(xp.clip(nearest + tap, 0, side - 1) + start, (-1,)) for tap in (-1, 0, 1, 2)]


def _pass(xp: Any, images: Any, taps: list[Any], fraction: Any) -> Any:
    """Interpolate (count, side, width) images along their second axis to (count, outputs, width)."""
    count, side, width = images.shape
    rows = xp.reshape(images, (count * side, width))
    shape = (count, fraction.shape[1], width)
    v1, v2, v3, v4 = (xp.reshape(xp.take(rows, tap, axis=0), shape) for tap in taps)
    return _cubic(v1, v2, v3, v4, fraction)


def _cubic(v1: Any, v2: Any, v3: Any, v4: Any, d: Any) -> Any:
    """Pillow's cubic through four samples, ``d`` of the way from the second to the third.

    The order of operations decides the last bits and must stay.
    """
    p2 = -v1 + v3
    p3 = 2.0 * (v1 - v2) + v3 - v4
    p4 = -v1 + v2 - v3 + v4
    return v2 + d * (p2 + d * (p3 + d * p4))
