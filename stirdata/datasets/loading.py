"""Bringing the blocks of a STIR file to their places in one tensor, on any device, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.datasets.memory import enough_for
from stirdata.datasets.tensors import Converter, Level, empty_images
from stirdata.errors import ParameterError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stirdata.datasets.selection import Selection

Blocks = Iterable[tuple[int, "NDArray[np.uint8]"]]
"""Blocks of a selection as a STIR file yields them: place among the rows, and uint8 (B, H, W[, C])."""

Convert = Callable[["torch.Tensor", "torch.Tensor | None"], "torch.Tensor"]

_PIECE_BYTES = 1 << 21
"""Of uint8 that are on their way at a time: what they become is still in the cache when it is moved on."""

_DTYPES = ("float32", "float16", "bfloat16", "uint8")


@dataclass(frozen=True)
class Form:
    """What the images of a result are like; made by :func:`checked_form`.

    Attributes:
        dtype: ``torch.float32``, ``float16``, ``bfloat16`` or ``uint8``.
        channels_last: Whether the memory format is ``torch.channels_last``.
        mean: Subtracted from images in [0, 1], for all channels or for each; None for nothing.
        std: What they are divided by after that.
    """

    dtype: torch.dtype
    channels_last: bool = False
    mean: Level | None = None
    std: Level | None = None


def checked_form(dtype: Any, channels_last: bool, normalize: Any, channels: int) -> Form:
    """Return the form that the arguments of a loader mean.

    Raises:
        ParameterError: The type is none of the four; ``normalize`` is not a pair of numbers, or of one
            number per channel, with a positive standard deviation; or it comes with uint8.
    """
    import torch

    known = {getattr(torch, name): name for name in _DTYPES}
    if not isinstance(dtype, torch.dtype) or dtype not in known:
        expected = ", ".join(f"torch.{name}" for name in _DTYPES)
        raise ParameterError("images of this type cannot be had", where="dtype", expected=expected, got=dtype)
    if normalize is None:
        return Form(dtype, bool(channels_last))
    if dtype == torch.uint8:
        raise ParameterError(
            "normalised images are not whole numbers", where="normalize", expected="a float dtype", got=dtype
        )
    return Form(dtype, bool(channels_last), *_checked_levels(normalize, channels))


def _checked_levels(normalize: Any, channels: int) -> tuple[Level, Level]:
    try:
        mean, std = (np.asarray(level, np.float64) for level in normalize)
    except (TypeError, ValueError):
        raise _no_levels(normalize, channels) from None
    for level in (mean, std):
        if level.shape not in ((), (channels,)) or not np.isfinite(level).all():
            raise _no_levels(normalize, channels)
    if not (std > 0).all():
        raise _no_levels(normalize, channels)
    return mean.tolist(), std.tolist()


def _no_levels(normalize: Any, channels: int) -> ParameterError:
    return ParameterError(
        "images cannot be normalised by this",
        where="normalize",
        expected=f"mean and positive standard deviation, in units of [0, 1]: numbers, or {channels} of each",
        got=repr(normalize),
        hint="mean_and_std() returns those of a split",
    )


def load(blocks: Blocks, selection: Selection, form: Form, device: torch.device) -> torch.Tensor:
    """Return the images of a selection as one tensor (N, channels, side, side) on a device.

    Every image is written once, converted, to the place where it belongs. Beyond the result, a piece of
    the images takes memory on the way, as uint8 and converted.

    Raises:
        NotEnoughMemoryError: The device has no room for them.
    """
    import torch

    channels, side = selection.frame.channels, selection.frame.canvas
    shape = (len(selection), channels, side, side)
    with enough_for(int(np.prod(shape)) * form.dtype.itemsize, device):
        result = empty_images(shape, form.dtype, device, channels_last=form.channels_last)
        places = torch.from_numpy(selection.places).to(device) if selection.shuffle else None
        transport, convert = Transport(device), _conversion(form, device)
        for place, block in blocks:
            for start, piece in _pieces(block):
                pixels = channels_first(transport(piece))
                _put(result, pixels, convert, place * selection.block + start, places)
    return result


def _put(
    result: torch.Tensor, pixels: torch.Tensor, convert: Convert, start: int, places: torch.Tensor | None
) -> None:
    """Convert pixels to where they belong: from ``start`` on, or to their part of ``places``."""
    stop = start + len(pixels)
    if places is None:
        convert(pixels, result[start:stop])
    else:
        _rows_of(result).index_copy_(0, places[start:stop], _rows_of(convert(pixels, None)))


def _pieces(block: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    step = max(1, _PIECE_BYTES // max(1, block[:1].nbytes))
    for start in range(0, len(block), step):
        yield start, block[start : start + step]


def _conversion(form: Form, device: torch.device) -> Convert:
    """Return what converts uint8 pixels, to new memory or to what is given."""
    import torch

    if form.dtype != torch.uint8:
        return Converter(device, form.mean, form.std, dtype=form.dtype, channels_last=form.channels_last)
    layout = torch.channels_last if form.channels_last else torch.contiguous_format

    def keep(pixels: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
        return pixels.contiguous(memory_format=layout) if out is None else out.copy_(pixels)

    return keep


def _rows_of(images: torch.Tensor) -> torch.Tensor:
    """Return images in either memory format as a matrix over the same memory, a row per image."""
    plain = images if images.is_contiguous() else images.permute(0, 2, 3, 1)
    return plain.view(len(images), -1)


def channels_first(images: torch.Tensor) -> torch.Tensor:
    """Return stored images, (B, H, W) or (B, H, W, 3), as a view (B, channels, H, W)."""
    return images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)


class Transport:
    """Brings pieces of uint8 to a device, through page-locked memory where that lets the host go on.

    There are two page-locked buffers, so that one is filled while the other is on its way. What a call
    returns is valid until the next call, for work on the same stream.

    Args:
        device: Where to. On the CPU nothing is copied.
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

        self._memory = torch.empty(size, dtype=torch.uint8, pin_memory=True)
        self._read = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def send(self, pixels: torch.Tensor, target: torch.Tensor) -> None:
        """Copy pixels to the device once the device has read what was sent before."""
        import torch

        self._read.synchronize()
        filled = self._memory[: pixels.numel()].view(pixels.shape)
        filled.copy_(pixels)
        target.copy_(filled, non_blocking=True)
        self._read.record(torch.cuda.current_stream(target.device))
