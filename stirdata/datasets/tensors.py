"""Turning stored uint8 images into what a network takes, with the same bits on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError

if TYPE_CHECKING:
    import torch

_PIECE_PIXELS = 1 << 22
"""Pixels converted at a time: the float32 piece is still in the cache when it is divided."""


def checked_device(device: Any) -> torch.device:
    """Return the torch device, or raise ParameterError if this machine does not have it."""
    import torch

    try:
        chosen = torch.device("cpu" if device is None else device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        available = ["cpu"]
        available += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        available += ["mps"] if torch.backends.mps.is_available() else []
        raise ParameterError(
            "this device is not available",
            where="device",
            expected=" or ".join(available),
            got=device,
            hint=str(error).splitlines()[0],
        ) from error
    return chosen


def to_float(images: torch.Tensor, mean: float | None = None, std: float | None = None) -> torch.Tensor:
    """Return uint8 images as float32 in [0, 1], then normalised if ``mean`` and ``std`` are given.

    Computed on the images' device: ``(images / 255 - mean) / std`` in float32. The divisors are tensors
    on that device: for a number, torch multiplies by the rounded reciprocal on GPUs, which gives other
    bits than the division on the CPU.

    Args:
        images: uint8, shape (N, …), on any device.
        mean: In units of [0, 1].
        std: In units of [0, 1].
    """
    import torch

    def constant(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float32, device=images.device)

    values, divisor = _empty_floats(images), constant(255.0)
    piece = max(1, _PIECE_PIXELS // max(1, images[:1].numel()))
    for start in range(0, len(images), piece):
        part = values[start : start + piece]
        part.copy_(images[start : start + piece]).div_(divisor)
        if mean is not None and std is not None:
            part.sub_(constant(mean)).div_(constant(std))
    return values


def _empty_floats(images: torch.Tensor) -> torch.Tensor:
    """Return float32 memory of the images' shape on their device.

    On the CPU it comes from NumPy, which asks Linux for huge pages: the first touch of torch's own
    memory, in pages of 4 KiB, takes longer than all of the arithmetic.
    """
    import numpy as np
    import torch

    if images.device.type == "cpu":
        return torch.from_numpy(np.empty(tuple(images.shape), np.float32))
    return torch.empty(images.shape, dtype=torch.float32, device=images.device)


def doubled(images: torch.Tensor) -> torch.Tensor:
    """Return images with every pixel doubled in both directions: (..., H, W) to (..., 2H, 2W)."""
    return images.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
