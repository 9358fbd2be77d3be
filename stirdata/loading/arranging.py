"""Bringing the blocks of a selection to their places in one tensor, on any device, in little memory.

The bytes of the images are first put, in their final order, into the last part of the memory of the result;
then they are spread to floats from the front on. A float is never written over a byte that is still needed.
Mean and standard deviation are counted from the same blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import NotEnoughMemoryError
from stirdata.executors import threads
from stirdata.loading.memory import empty_images
from stirdata.loading.tensors import Converter, Form, channels_first

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import torch
    from numpy.typing import NDArray

    from stirdata.loading.selection import Selection

Blocks = Iterable[tuple[int, "NDArray[Any]"]]
"""Blocks of a selection as they are read: where they begin in its order, and images (B, H, W[, C])."""

_PIECE_BYTES = 1 << 22
"""Of uint8 that travel, or are converted by a thread, at a time."""

_LAST_IMAGES = 32
"""So few that are left are copied before they are converted, instead of fewer and fewer at a time."""


def load(blocks: Blocks, selection: Selection, form: Form, device: torch.device) -> torch.Tensor:
    """Return the images of a selection as one tensor (N, channels, height, width) on a device.

    Beyond the result, some megabytes are needed on the way; where images are stored as float32 and wanted in
    another type, as much as they take.

    Raises:
        NotEnoughMemoryError: The device has no room for them.
    """
    if selection.dtype != "uint8":
        levels = load_levels(blocks, selection, device, channels_last=form.channels_last)
        place = levels if form.dtype == levels.dtype else None
        return Converter(device, form.mean, form.std, dtype=form.dtype, channels_last=form.channels_last)(
            levels, place
        )
    height, width, *channels = selection.image_shape
    shape = (len(selection), *(channels or [1]), height, width)
    with enough_for(int(np.prod(shape)) * form.dtype.itemsize, device):
        result = empty_images(shape, form.dtype, device, channels_last=form.channels_last)
        rows = _last_bytes(result)
        if device.type == "cpu":
            _arrange(blocks, selection, rows.numpy(), form.channels_last)
        else:
            _arrange_on_device(blocks, selection, rows, form.channels_last)
        if result.element_size() > 1:
            _spread(result, rows, form)
    return result


def load_levels(
    blocks: Blocks, selection: Selection, device: torch.device, *, channels_last: bool = False
) -> torch.Tensor:
    """Return the images of a selection as they are stored, 0 to 255: uint8 or float32.

    Args:
        blocks: As for :func:`load`, and so are the others.
        selection: As there.
        device: As there.
        channels_last: Whether the result's memory format is ``torch.channels_last``.

    Returns:
        Shape (N, channels, height, width).
    """
    import torch

    if selection.dtype == "uint8":
        return load(blocks, selection, Form(torch.uint8, channels_last), device)
    height, width, *channels = selection.image_shape
    shape = (len(selection), *(channels or [1]), height, width)
    with enough_for(selection.nbytes, device):
        result = empty_images(shape, torch.float32, device, channels_last=channels_last)
        for start, block in blocks:
            images: Any = slice(start, start + len(block))
            if selection.shuffle:
                images = torch.from_numpy(selection.places[images]).to(device)
            result[images] = channels_first(torch.from_numpy(block)).to(device)
    return result


def _last_bytes(images: torch.Tensor) -> torch.Tensor:
    """Return the last part of the images' own memory: uint8 (N, bytes), a byte for each of their values."""
    import torch

    plain = images if images.is_contiguous() else images.permute(0, 2, 3, 1)
    size = images[:1].numel()
    return plain.reshape(-1).view(torch.uint8)[-len(images) * size :].view(len(images), size)


def _arrange(blocks: Blocks, selection: Selection, rows: NDArray[np.uint8], channels_last: bool) -> None:
    """Put the bytes of every image into its row, in the result's memory format."""
    for start, piece in _pieces(blocks):
        images = slice(start, start + len(piece))
        places = selection.places[images] if selection.shuffle else images
        rows[places] = _as_rows(piece, channels_last)


def _arrange_on_device(blocks: Blocks, selection: Selection, rows: torch.Tensor, channels_last: bool) -> None:
    """Do the same on a device, where the places go at once and the bytes piece by piece."""
    import torch

    transport = Transport(rows.device)
    places = torch.from_numpy(selection.places).to(rows.device) if selection.shuffle else None
    for start, piece in _pieces(blocks):
        arrived = _as_rows(transport(piece), channels_last)
        if places is None:
            rows[start : start + len(piece)] = arrived
        else:
            rows.index_copy_(0, places[start : start + len(piece)], arrived)


def _pieces(blocks: Blocks) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield parts of the blocks, and where they begin in the order of the selection."""
    for first, block in blocks:
        step = max(1, _PIECE_BYTES // block[:1].nbytes)
        for start in range(0, len(block), step):
            yield first + start, block[start : start + step]


def _as_rows(stored: Any, channels_last: bool) -> Any:
    """Return stored images, an array or a tensor, as a row of bytes each."""
    if stored.ndim == 4 and not channels_last:
        stored = stored.swapaxes(2, 3).swapaxes(1, 2)
    return stored.reshape(len(stored), -1)


def _spread(result: torch.Tensor, rows: torch.Tensor, form: Form) -> None:
    """Convert the bytes in the last part of the result's memory to the result.

    Where a value takes k bytes, (k - 1) / k of the images that are left can be converted before their
    values reach the bytes of the first that is converted with them.
    """
    import torch

    count, channels, height, width = result.shape
    if form.channels_last:
        pixels = rows.view(count, height, width, channels).permute(0, 3, 1, 2)
    else:
        pixels = rows.view(result.shape)
    size, start = result.element_size(), 0
    with threads(torch.get_num_threads() if result.device.type == "cpu" else 1) as executor:
        while start < count:
            last = count - start <= _LAST_IMAGES
            stop = count if last else start + (count - start) * (size - 1) // size
            bytes_ = pixels[start:stop].clone() if last else pixels[start:stop]
            _convert(bytes_, result[start:stop], form, executor)
            start = stop


def _convert(pixels: torch.Tensor, target: torch.Tensor, form: Form, executor: Executor) -> None:
    converter = Converter(target.device, form.mean, form.std, dtype=form.dtype)
    if target.device.type != "cpu":
        converter(pixels, target)
        return
    step = max(1, _PIECE_BYTES // 4 // pixels[0].numel())
    parts = [slice(start, start + step) for start in range(0, len(pixels), step)]
    list(executor.map(lambda part: converter(pixels[part], target[part]), parts))


_LEVELS = 256
_PIECE_VALUES = 1 << 20  # counting widens every value to eight bytes

_ADVICE = "take fewer scales, dtype=torch.float16 or torch.uint8, or batches(), which keeps a byte per value"


def free_bytes(device: torch.device) -> int | None:
    """Return how many bytes new tensors can take on a device, or None where it cannot tell.

    What torch holds in reserve for new tensors counts as free.
    """
    import torch

    if device.type != "cuda":
        return None
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + reserve


@contextmanager
def enough_for(needed: int, device: torch.device) -> Iterator[None]:
    """Check that a device has room for so many bytes, and translate its error if it turns out not to.

    Raises:
        NotEnoughMemoryError: On entry, or for a failed allocation inside.
    """
    free = free_bytes(device)
    if free is not None and needed > free:
        raise _too_much(needed, device)
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, NotEnoughMemoryError) or not is_failed_allocation(error):
            raise
        raise _too_much(needed, device) from error


def is_failed_allocation(error: Exception) -> bool:
    """Tell torch's errors for lack of memory, of which only the one for CUDA has a type, from others."""
    import torch

    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return any(word in str(error).lower() for word in words)


def _too_much(needed: int, device: torch.device) -> NotEnoughMemoryError:
    free = free_bytes(device)
    return NotEnoughMemoryError(
        "the images do not fit into memory",
        where=f"device {device}",
        expected=f"{_size(needed)} free",
        got=f"{_size(free)} free" if free is not None else "less",
        hint=_ADVICE,
    )


def _size(count: int) -> str:
    return f"{count} bytes ({count / 1e9:.2f} GB)"


class Transport:
    """Brings pieces of uint8 to a device, through page-locked memory where that lets the host go on.

    There are two page-locked buffers, so that one is filled while the other is on its way. What a call
    returns is valid until the next call, for work on the same stream.

    Args:
        device: Where to.
        page_locked: Whether to go through page-locked memory; by default for CUDA.
    """

    def __init__(self, device: torch.device, page_locked: bool | None = None) -> None:
        self._device = device
        self._page_locked = device.type == "cuda" if page_locked is None else page_locked
        self._buffers: list[_PageLocked] = []
        self._arrived: torch.Tensor | None = None

    def __call__(self, piece: NDArray[np.uint8]) -> torch.Tensor:
        """Return a piece as a tensor on the device."""
        import torch

        # torch warns of read-only arrays, whose memory it cannot protect.
        pixels = torch.from_numpy(piece if piece.flags.writeable else piece.copy())
        return self._sent(pixels) if self._page_locked else pixels.to(self._device)

    def _sent(self, pixels: torch.Tensor) -> torch.Tensor:
        import torch

        if self._arrived is None or self._arrived.numel() < pixels.numel():
            self._buffers = [_PageLocked(pixels.numel()), _PageLocked(pixels.numel())]
            self._arrived = torch.empty(pixels.numel(), dtype=torch.uint8, device=self._device)
        arrived = self._arrived[: pixels.numel()].view(pixels.shape)
        self._buffers[0].send(pixels, arrived)
        self._buffers.reverse()
        return arrived


class _PageLocked:
    """A page-locked buffer on the host, and when the device has read what is in it."""

    def __init__(self, size: int) -> None:
        import torch

        self._memory = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=True)
        self._read = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def send(self, pixels: torch.Tensor, target: torch.Tensor) -> None:
        """Copy pixels to the device once the device has read what was sent before."""
        import torch

        self._read.synchronize()
        filled = self._memory[: pixels.numel()].view(pixels.shape)
        filled.copy_(pixels)
        target.copy_(filled, non_blocking=True)
        self._read.record(torch.cuda.current_stream(target.device))


def mean_and_std(
    blocks: Iterable[NDArray[np.uint8]], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of all pixels per channel, in units of [0, 1].

    Args:
        blocks: Images, uint8 (B, H, W), or (B, H, W, 3) for three channels.
        channels: 1 or 3.

    Examples:
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


def mean_and_std_of_floats(
    blocks: Iterable[NDArray[np.float32]], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what :func:`mean_and_std` does, of levels from 0 to 255 as float32; sums are float64.

    Examples:
        >>> mean_and_std_of_floats([np.array([[[0, 255], [0, 255]]], np.float32)], 1)
        ((0.5,), (0.5,))
    """
    number, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for block in blocks:
        values = block.reshape(-1, channels).astype(np.float64) / 255
        number += len(values)
        total += values.sum(axis=0)
        squares += (values * values).sum(axis=0)
    mean = total / number
    std = np.sqrt(np.maximum(squares / number - mean * mean, 0))
    return tuple(mean.tolist()), tuple(std.tolist())


def _of_histogram(counts: list[int]) -> tuple[float, float]:
    """Return mean and population standard deviation of levels, as 255th parts."""
    number = sum(counts)
    total = sum(level * count for level, count in enumerate(counts))
    squares = sum(level * level * count for level, count in enumerate(counts))
    variance = Fraction(squares * number - total * total, (255 * number) ** 2)
    return float(Fraction(total, 255 * number)), math.sqrt(variance)
