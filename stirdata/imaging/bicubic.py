"""Rescaling batches of small images about a point, with the bits of Pillow's bicubic transform.

Every step is a gather, exact, or an elementwise IEEE operation in float64, written against the array API, so
NumPy arrays and torch tensors on any device that has float64 give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from array_api_compat import device

from stirdata.executors import map_ordered, threads
from stirdata.imaging.kernels import kernels_for
from stirdata.imaging.namespaces import array_namespace

BLOCK_IMAGES = 512
"""Images per block: its float64 arrays fit the second-level cache of today's processors."""
_MEASURED_IMAGES = 4096
"""Images whose content is looked for at a time."""


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
        crop: Leave out what is certainly 0; the result does not depend on it. It saves time where factors
            are small or images mostly 0, but a GPU has to be waited for in order to know what is not 0.
        advance: Called with the number of images finished, after each block.

    Returns:
        Rescaled images, uint8, shape (N, side, side), of the library and on the device of ``images``.

    Raises:
        ValueError: The shapes do not fit each other, or ``block`` is below 1.

    Source: arXiv 1910.11093, section 6.1 and its data scripts; the arithmetic is that of Pillow's
    ``Image.transform`` with ``AFFINE`` and ``BICUBIC``.

    Examples:
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
    kernels = kernels_for(device(images))
    if kernels is not None and images.shape[1] <= kernels.LARGEST_SIDE:
        result = kernels.rescaled(images.contiguous(), scales.contiguous())
        if advance is not None:
            advance(images.shape[0])
        return result
    side = images.shape[1]
    result = xp.zeros(images.shape, dtype=images.dtype, device=device(images))
    with threads(workers) as executor:
        cropping = crop and images.shape[0] > 0
        windows = _windows_of_all(executor, xp, images, scales, ahead=2 * workers) if cropping else None

        def finish(members: Any) -> int:
            own = None if windows is None else _taken(xp, windows, members)
            factors = xp.take(scales, members, axis=0)
            _rescale_into(xp, result, images, members, factors, own)
            return int(members.shape[0])

        for count in map_ordered(
            executor, finish, _blocks(xp, scales, side, windows, block), ahead=2 * workers
        ):
            if advance is not None:
                advance(count)
    return result


class _Window(NamedTuple):
    """What has to be computed of some images along one axis, each int64, (N,).

    Attributes:
        first: The first position of the result that is not certainly 0.
        size: How many there are; 0 of blank images.
        start: The first position of the image that is not 0.
        length: How many there are up to the last.
    """

    first: Any
    size: Any
    start: Any
    length: Any


_Windows = tuple[_Window, _Window]
"""Along y and along x."""


def _windows_of_all(executor: Executor, xp: Any, images: Any, scales: Any, ahead: int) -> _Windows:
    """Return the windows of any number of images, a part at a time."""

    def of_part(start: int) -> _Windows:
        part = slice(start, start + _MEASURED_IMAGES)
        return _windows(xp, images[part, ...], scales[part])

    starts = range(0, images.shape[0], _MEASURED_IMAGES)
    parts = list(map_ordered(executor, of_part, starts, ahead=ahead))
    return _joined(xp, [along_y for along_y, _ in parts]), _joined(xp, [along_x for _, along_x in parts])


def _joined(xp: Any, windows: Sequence[_Window]) -> _Window:
    return _Window(*(xp.concat(numbers) for numbers in zip(*windows, strict=True)))


def _windows(xp: Any, images: Any, scales: Any) -> _Windows:
    """Return what has to be computed of images: where four taps reach nothing but 0, the result is 0."""
    side = images.shape[1]
    positions = xp.arange(side, dtype=xp.int64, device=device(scales))[None, :]
    inside, nearest, _ = _sample_points(xp, scales, side, positions)
    lowest, highest = xp.clip(nearest - 1, 0, side - 1), xp.clip(nearest + 2, 0, side - 1)
    filled = images != 0

    def along(axis: int) -> _Window:
        start, length = _run(xp, xp.any(filled, axis=3 - axis))
        end = (start + length)[:, None]
        first, size = _run(xp, inside & (highest >= start[:, None]) & (lowest < end))
        return _Window(first, size, start, length)

    return along(1), along(2)


def _run(xp: Any, true: Any) -> tuple[Any, Any]:
    """Return, per row of truth values (N, side), the first true one and how far it is past the last."""
    side, numbers = true.shape[1], xp.astype(true, xp.uint8)
    first = xp.argmax(numbers, axis=1)
    last = side - 1 - xp.argmax(xp.flip(numbers, axis=1), axis=1)
    return first, xp.where(xp.any(true, axis=1), last + 1 - first, xp.zeros_like(first))


def _taken(xp: Any, windows: _Windows, members: Any) -> _Windows:
    """Return the windows of some of the images."""
    along_y, along_x = (_Window(*(xp.take(numbers, members) for numbers in window)) for window in windows)
    return along_y, along_x


def _blocks(xp: Any, scales: Any, side: int, windows: _Windows | None, size: int) -> Iterator[Any]:
    """Yield index arrays of images of similar windows, so that a block computes little it throws away."""
    if windows is None:
        order = xp.arange(scales.shape[0], dtype=xp.int64, device=device(scales))
    else:
        along_y, along_x = windows
        order = xp.argsort(along_y.size * (side + 1) + along_x.size, stable=True)
    for start in range(0, order.shape[0], size):
        yield order[start : start + size]


def _rescale_into(
    xp: Any, result: Any, images: Any, members: Any, scales: Any, windows: _Windows | None
) -> None:
    """Rescale a block of images; write what may be other than 0 to the result, which is of 0.

    Args:
        xp: Namespace of the arrays.
        result: uint8, (N, side, side), which lies in memory in this order.
        images: uint8, (N, side, side).
        members: Positions of the block's images among the N.
        scales: Their factors.
        windows: Theirs; None for all of the canvas.
    """
    side = images.shape[1]
    if windows is None:
        whole = xp.zeros_like(members)
        window = _Fitted(whole, side, whole, side)
        values = _rescaled(xp, xp.take(images, members, axis=0), scales, side, window, window)
        result[members, ...] = xp.astype(values, images.dtype)
        return
    along_y, along_x = (_fitted(xp, window, side) for window in windows)
    if not along_y.size or not along_x.size:
        return
    rows = xp.arange(along_y.length, dtype=xp.int64, device=device(members))[None, :]
    rows = rows + (members * side + along_y.start)[:, None]
    lines = xp.take(xp.reshape(images, (-1, side)), xp.reshape(rows, (-1,)), axis=0)
    lines = xp.reshape(lines, (members.shape[0], along_y.length, side))
    along_x = along_x._replace(start=xp.zeros_like(members), length=side)
    values = _rescaled(xp, lines, scales, side, along_y, along_x)
    rows = (_positions(xp, along_y) + (members * side)[:, None]) * side
    places = rows[:, :, None] + _positions(xp, along_x)[:, None, :]
    xp.reshape(result, (-1,))[places] = xp.astype(values, images.dtype)


class _Fitted(NamedTuple):
    """A window of every image of a block, all of one size: as :class:`_Window`, with whole numbers."""

    first: Any
    size: int
    start: Any
    length: int


def _fitted(xp: Any, window: _Window, side: int) -> _Fitted:
    """Return windows as large as the largest of them, within the canvas."""
    size, length = int(xp.max(window.size)), int(xp.max(window.length))
    first, start = xp.clip(window.first, 0, side - size), xp.clip(window.start, 0, side - length)
    return _Fitted(first, size, start, length)


def _positions(xp: Any, window: _Fitted) -> Any:
    """Return the positions of the result in each window: int64, (N, size)."""
    steps = xp.arange(window.size, dtype=xp.int64, device=device(window.first))
    return window.first[:, None] + steps[None, :]


def _rescaled(xp: Any, lines: Any, scales: Any, side: int, along_y: _Fitted, along_x: _Fitted) -> Any:
    """Return what is in the windows of the results: float64, (N, y size, x size), 0 to 255.

    First along x for every row, then along y: the order in which Pillow rounds. A pass gathers whole rows,
    so the axis it runs along is made the second one.

    Args:
        xp: Namespace of the arrays.
        lines: What is in the windows of the images, uint8, (N, y length, x length).
        scales: Factors, (N,).
        side: Of the images.
        along_y: Windows.
        along_x: Windows.
    """
    taps_x = _taps(xp, scales, side, along_x)
    taps_y = taps_x if along_y is along_x else _taps(xp, scales, side, along_y)
    # Differences of bytes are exact in any type; short whole numbers take a quarter of the memory.
    columns = _pass(xp, xp.permute_dims(lines, (0, 2, 1)), taps_x, xp.int16)
    values = _pass(xp, xp.permute_dims(columns, (0, 2, 1)), taps_y, xp.float64)
    return xp.clip(values, 0.0, 255.0)


def _sample_points(xp: Any, scales: Any, side: int, positions: Any) -> tuple[Any, Any, Any]:
    """Return, per image and output position: inside or not, the tap below (int64), the fraction above it."""
    centre = side * 0.5 + 0.5
    factor = 1.0 / scales
    offset = factor * -centre + 0.0 * -centre
    offset = offset + centre
    source = factor[:, None] * (xp.astype(positions, xp.float64) + 0.5) + offset[:, None]
    inside = (source >= 0.0) & (source < side)
    source = xp.where(inside, source, xp.zeros_like(source)) - 0.5
    below = xp.floor(source)
    return inside, xp.astype(below, xp.int64), source - below


def _taps(xp: Any, scales: Any, side: int, window: _Fitted) -> tuple[Any, Any]:
    """Return the lines that every position of a window is made of, and where it is between them.

    Returns:
        Line numbers, int64, (4, N, size), among those of the windows of all N images and one more: the line
        of zeros of what is beyond a window of an image, or outside of the canvas. And how far each position
        is from the second line to the third, float64, (N, size).
    """
    place = device(scales)
    inside, nearest, fraction = _sample_points(xp, scales, side, _positions(xp, window))
    distances = xp.asarray([-1, 0, 1, 2], device=place)[:, None, None]
    line = xp.clip(nearest[None, :, :] + distances, 0, side - 1) - window.start[None, :, None]
    seen = inside[None, :, :] & (line >= 0) & (line < window.length)
    count = scales.shape[0]
    line += xp.arange(count, dtype=xp.int64, device=place)[None, :, None] * window.length
    return xp.where(seen, line, xp.full_like(line, count * window.length)), fraction


def _pass(xp: Any, images: Any, taps: tuple[Any, Any], dtype: Any) -> Any:
    """Interpolate (N, length, width) along the second axis to (N, size, width), float64."""
    count, length, width = images.shape
    lines = xp.empty((count * length + 1, width), dtype=dtype, device=device(images))
    xp.reshape(lines[:-1, :], (count, length, width))[...] = images
    lines[-1, :] = 0
    numbers, fraction = taps
    values = xp.reshape(xp.take(lines, xp.reshape(numbers, (-1,)), axis=0), (*numbers.shape, width))
    v1, v2, v3, v4 = (values[tap, ...] for tap in range(4))
    return _cubic(xp, v1, v2, v3, v4, fraction[:, :, None])


def _cubic(xp: Any, v1: Any, v2: Any, v3: Any, v4: Any, d: Any) -> Any:
    """Pillow's cubic through four samples, ``d`` of the way from the second to the third; v3 is overwritten.

    ``v2 + d * (v3 - v1 + d * (2 * (v1 - v2) + v3 - v4 + d * (-v1 + v2 - v3 + v4)))``, from left to right: the
    order of operations decides the last bits, and must stay but for signs and who is added to whom.
    """
    rise = v2 - v1
    cubic = rise - v3
    cubic += v4
    rise *= 2
    square = v3 - rise
    square -= v4
    v3 -= v1
    value = xp.astype(cubic, xp.float64, copy=False)
    for lower in (square, v3, v2):
        value *= d
        value += lower
    return value
