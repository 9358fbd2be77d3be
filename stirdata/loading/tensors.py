"""Turning stored uint8 images into what a network takes, with the same bits on every device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stirdata.arguments import checked_flag
from stirdata.errors import ParameterError
from stirdata.imaging.kernels import kernels_for
from stirdata.loading.memory import empty_images

if TYPE_CHECKING:
    import torch

_DTYPES = ("float32", "float16", "bfloat16", "uint8")

Level = float | Sequence[float]
"""In units of [0, 1]: one for all channels, or one per channel."""

_DEVICE_PIECE_PIXELS = 1 << 22
"""Pixels converted at a time by torch, whose float32 values are all the memory that it takes."""

_THREADED_PIECE_PIXELS = 1 << 20
"""Pixels converted at a time by torch's threads on a CPU: they stay in its larger cache."""

CPU_PIECE_PIXELS = 1 << 17
"""Pixels converted at a time by NumPy in the thread that asks for it: they stay in its cache.

torch divides them among threads, all of which wait for the last one: up to twice as fast when the cores are
free, and ten to a hundred times slower when other programs compute on them."""


def checked_device(device: Any) -> torch.device:
    """Return the torch device, a GPU with its number, or raise ParameterError if it is not there."""
    import torch

    try:
        # Of an empty tensor, because older versions of torch ask a "cuda" without a number for one.
        chosen = torch.empty(0, device="cpu" if device is None else device).device
        if chosen.type == "meta":
            raise TypeError("it holds no values")
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ImportError) as error:
        available = ["cpu"]
        available += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        available += ["mps"] if torch.backends.mps.is_available() else []
        raise ParameterError(
            "this device is not available",
            where="device",
            expected=" or ".join(available),
            got=device,
            hint=f"device=None is the CPU; torch says: {str(error)[:120].partition(chr(10))[0]}",
        ) from error
    return chosen


def to_float(
    images: torch.Tensor,
    mean: Level | None = None,
    std: Level | None = None,
    *,
    dtype: torch.dtype | None = None,
    channels_last: bool = False,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return images with levels 0 to 255 as floats in [0, 1], normalised if ``mean`` and ``std`` are given.

    Computed on the images' device in bounded pieces: ``(images / 255 - mean) / std`` in float32, then
    rounded to ``dtype``. The divisors are tensors on that device: for a number, torch multiplies by the
    rounded reciprocal on GPUs, which gives other bits than the division on the CPU.

    Args:
        images: uint8 or float32, shape (N, channels, height, width), on any device, in any memory layout.
        mean: A number, or one per channel, in units of [0, 1].
        std: Likewise.
        dtype: float32 (also for None), float16 or bfloat16.
        channels_last: Whether the result's memory format is ``torch.channels_last``.
        out: Written to and returned instead of new memory: of the result's shape, type and device.
    """
    return Converter(images.device, mean, std, dtype=dtype, channels_last=channels_last)(images, out)


class Converter:
    """Does what :func:`to_float` does, again and again: its constants lie on the device from the start.

    Args:
        device: Where the images will be.
        mean: A number, or one per channel, in units of [0, 1].
        std: Likewise.
        dtype: float32 (also for None), float16 or bfloat16.
        channels_last: Whether results have the memory format ``torch.channels_last``.
        in_one_thread: On the CPU, whether the thread that asks converts, instead of all that torch has.
    """

    def __init__(
        self,
        device: torch.device,
        mean: Level | None = None,
        std: Level | None = None,
        *,
        dtype: torch.dtype | None = None,
        channels_last: bool = False,
        in_one_thread: bool = True,
    ) -> None:
        import torch

        self.dtype = dtype or torch.float32
        self._channels_last = channels_last
        self._by_numpy = in_one_thread and device.type == "cpu"
        threaded = _THREADED_PIECE_PIXELS if device.type == "cpu" else _DEVICE_PIECE_PIXELS
        self._most_pixels = CPU_PIECE_PIXELS if self._by_numpy else threaded
        if self._by_numpy and self.dtype != torch.float32:
            # Less than 32768 are few enough for torch to round them to other types in this thread.
            self._most_pixels = CPU_PIECE_PIXELS // 4 - 1
        self._divisor = _constant(255.0, device)
        self._in_one_pass = device.type != "cpu"  # there becoming floats and being divided are two kernels
        self._levels: tuple[torch.Tensor, torch.Tensor] | None = None
        if mean is not None and std is not None:
            self._levels = _constant(mean, device), _constant(std, device)
        self._kernels = kernels_for(device)
        self._table = self._table_of(device) if self._kernels is not None else None

    def __call__(self, images: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Return uint8 images (N, channels, height, width) as floats, in ``out`` if that is given."""
        values = out
        if values is None:
            shape = tuple(images.shape)
            values = empty_images(shape, self.dtype, images.device, channels_last=self._channels_last)
        convert = self._convert_by_numpy if self._by_numpy else self._convert_by_torch
        if images.numel() <= self._most_pixels:  # a small batch takes less time than slicing would
            convert(images, values)
            return values
        step = self.images_at_once(images.shape[1:])
        for start in range(0, len(images), step):
            convert(images[start : start + step], values[start : start + step])
        return values

    def images_at_once(self, shape: Sequence[int]) -> int:
        """Return how many images of a shape (channels, height, width) are converted together."""
        return max(1, self._most_pixels // max(1, math.prod(shape)))

    def _table_of(self, device: torch.device) -> torch.Tensor:
        """Return what becomes of the 256 levels: (channels, 256), or (1, 256) if all channels are alike."""
        import torch

        channels = 1 if self._levels is None else max(self._levels[0].numel(), self._levels[1].numel())
        levels = torch.arange(256, device=device).to(torch.uint8)[:, None, None, None]
        table = torch.empty(256, channels, 1, 1, dtype=self.dtype, device=device)
        self._convert_by_steps(levels.expand(table.shape), table)
        return table.reshape(256, channels).T.contiguous()

    def _convert_by_torch(self, pixels: torch.Tensor, target: torch.Tensor) -> None:
        """Convert by looking up the results where there is a kernel for it, else step by step."""
        import torch

        plain = pixels.is_contiguous() and target.is_contiguous()
        alike = plain or (
            pixels.stride() == target.stride() and target.is_contiguous(memory_format=torch.channels_last)
        )
        if self._table is not None and alike and pixels.dtype == torch.uint8:
            inner = math.prod(target.shape[2:]) if plain else 1
            self._kernels.look_up(pixels, self._table, inner, target)
        else:
            self._convert_by_steps(pixels, target)

    def _convert_by_steps(self, pixels: torch.Tensor, target: torch.Tensor) -> None:
        import torch

        if self._in_one_pass and pixels.dtype == torch.uint8:
            is_float = target.dtype == torch.float32
            part = target if is_float else torch.empty_like(target, dtype=torch.float32)
            torch.div(pixels, self._divisor, out=part)
        else:
            part = target.copy_(pixels) if target.dtype == torch.float32 else pixels.to(torch.float32)
            part.div_(self._divisor)
        if self._levels is not None:
            mean, std = self._levels
            part.sub_(mean).div_(std)
        if part is not target:
            target.copy_(part)

    def _convert_by_numpy(self, pixels: torch.Tensor, target: torch.Tensor) -> None:
        import numpy as np
        import torch

        part = target if target.dtype == torch.float32 else torch.empty_like(target, dtype=torch.float32)
        values = part.numpy()
        np.copyto(values, pixels.numpy())
        np.divide(values, np.float32(255), out=values)
        if self._levels is not None:
            mean, std = self._levels
            np.subtract(values, mean.numpy(), out=values)
            np.divide(values, std.numpy(), out=values)
        if part is not target:
            target.copy_(part)


def _constant(value: Level, device: torch.device) -> torch.Tensor:
    """Return a level as a tensor that broadcasts over images, filled on the device.

    Copying it there would wait for all that the device still has to do.
    """
    import torch

    if isinstance(value, Sequence):
        return torch.stack([_constant(number, device) for number in value])[:, None, None]
    return torch.full((), value, dtype=torch.float32, device=device)


def doubled(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images with every pixel doubled in both directions: (..., H, W) to (..., 2H, 2W)."""
    if images.device.type != "cpu":
        return _doubled_by_torch(images)
    import numpy as np
    import torch

    *others, height, width = images.shape
    # Two equal bytes are one number of two bytes, 257 times theirs, which NumPy writes at once.
    result = np.empty((*others, height, 2, 2 * width), np.uint8)
    np.multiply(images.numpy()[..., None, :], np.uint16(257), out=result.view(np.uint16), dtype=np.uint16)
    return torch.from_numpy(result).reshape(*others, 2 * height, 2 * width)


def _doubled_by_torch(images: torch.Tensor) -> torch.Tensor:
    *others, height, width = images.shape
    fourfold = images[..., :, None, :, None].expand(*others, height, 2, width, 2)
    return fourfold.reshape(*others, 2 * height, 2 * width)


def channels_first(images: torch.Tensor) -> torch.Tensor:
    """Return stored images, (B, H, W) or (B, H, W, 3), as a view (B, channels, H, W)."""
    return images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)


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
    last = checked_flag("channels_last", channels_last)
    if normalize is None:
        return Form(dtype, last)
    if dtype == torch.uint8:
        raise ParameterError(
            "normalised images are not whole numbers", where="normalize", expected="a float dtype", got=dtype
        )
    return Form(dtype, last, *_checked_levels(normalize, channels))


def check_not_rounded(wanted: torch.dtype, stored: str) -> None:
    """Raise ParameterError if bytes are wanted of images that are stored as floats.

    Args:
        wanted: Type of the images handed out.
        stored: Name of the type in which they are stored.
    """
    import torch

    if wanted == torch.uint8 and stored != "uint8":
        raise ParameterError(
            "these images are no whole numbers, and rounding them is left to you",
            where="dtype",
            expected="a float dtype",
            got=wanted,
        )


def _checked_levels(normalize: Any, channels: int) -> tuple[Level, Level]:
    import numpy as np

    try:
        with np.errstate(over="ignore"):  # what is infinite or 0 as float32, in which images are, is refused
            mean, std = (np.asarray(level, np.float64).astype(np.float32) for level in normalize)
    except (TypeError, ValueError, RuntimeError):
        raise _no_levels(normalize, channels) from None
    for level in (mean, std):
        if level.shape not in ((), (channels,)) or not np.isfinite(level).all():
            raise _no_levels(normalize, channels)
    if not (std >= np.finfo(np.float32).tiny).all():
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


def converted(images: torch.Tensor, form: Form) -> torch.Tensor:
    """Return images with levels 0 to 255 (N, channels, height, width), of any memory layout, in a form."""
    import torch

    if form.dtype != torch.uint8:
        return to_float(images, form.mean, form.std, dtype=form.dtype, channels_last=form.channels_last)
    out = empty_images(tuple(images.shape), torch.uint8, images.device, channels_last=form.channels_last)
    return out.copy_(images)


def numpy_type(dtype: Any) -> Any:
    """Return torch's type for NumPy's, which arrays can have; torch's own and None as they are.

    Raises:
        ParameterError: NumPy has no such type, or images cannot be had in it.
    """
    import numpy as np
    import torch

    known = {np.dtype(name): getattr(torch, name) for name in _DTYPES if name != "bfloat16"}
    if dtype is None or dtype in known.values():
        return dtype
    try:
        return known[np.dtype(dtype)]
    except (KeyError, TypeError) as error:
        expected = ", ".join(str(name) for name in known)
        raise ParameterError(
            "arrays of images of this type cannot be had", where="dtype", expected=expected, got=dtype
        ) from error
