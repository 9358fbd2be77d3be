"""Which GPU has kernels of its own, tested once in every process."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def kernels_for(device: Any) -> Any:
    """Return the module of the kernels for a torch device; None where there are none, or they fail.

    Where they fail, or give other bits, a RuntimeWarning says so: all works without them, only slower.
    """
    return _tested(device) if getattr(device, "type", "") == "cuda" else None


@cache
def _tested(device: torch.device) -> Any:
    if find_spec("triton") is None:
        return None
    try:
        from stirdata.imaging import triton_kernels

        if works(triton_kernels, device):
            return triton_kernels
        reason = "other bits"
    except Exception as error:  # of a compiler, a driver, or a processor that is too old or too new
        reason = f"{type(error).__name__}: {error}"
    warnings.warn(f"{device} works without kernels of its own, which is slower: {reason}", RuntimeWarning, 3)
    return None


def works(kernels: Any, device: torch.device) -> bool:
    """Tell whether kernels give the bits of the array API on a device."""
    import torch

    from stirdata.imaging.bicubic import rescale

    random = np.random.RandomState(0)
    for side in (28, 5):
        images = torch.from_numpy(random.randint(0, 256, (24, side, side)).astype(np.uint8))
        scales = torch.from_numpy(np.concatenate([np.exp(random.uniform(-3, 1, 20)), [0.25, 0.5, 1.0, 2.0]]))
        found = kernels.rescaled(images.to(device), scales.to(device))
        if not torch.equal(found.cpu(), rescale(images, scales)):
            return False
    levels = torch.from_numpy(random.randint(0, 256, (2, 3, 35, 7)).astype(np.uint8))
    table = torch.from_numpy(random.uniform(-1, 1, (3, 256)).astype(np.float32))
    out = torch.empty(levels.shape, dtype=torch.float32, device=device)
    kernels.look_up(levels.to(device), table.to(device), 35 * 7, out)
    channels = torch.arange(3)[None, :, None, None]
    return torch.equal(out.cpu(), table[channels, levels.long()])
