"""Turning stored uint8 images into what a network takes, with the same bits on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError

if TYPE_CHECKING:
    import torch


def checked_device(device: Any) -> torch.device:
    """Return the torch device, or raise ParameterError if this machine does not have it."""
    import torch

    try:
        chosen = torch.device("cpu" if device is None else device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
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
        images: uint8, any shape, on any device.
        mean: In units of [0, 1].
        std: In units of [0, 1].
    """
    import torch

    def constant(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float32, device=images.device)

    values = images / constant(255.0)
    if mean is not None and std is not None:
        values.sub_(constant(mean)).div_(constant(std))
    return values


def doubled(images: torch.Tensor) -> torch.Tensor:
    """Return images with every pixel doubled in both directions: (..., H, W) to (..., 2H, 2W)."""
    return images.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
