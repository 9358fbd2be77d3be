"""What the images that a loader returns are like: their type, memory format and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import checked_flag
from stirdata.errors import ParameterError
from stirdata.loading.tensors import Level

if TYPE_CHECKING:
    import torch

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
    last = checked_flag("channels_last", channels_last)
    if normalize is None:
        return Form(dtype, last)
    if dtype == torch.uint8:
        raise ParameterError(
            "normalised images are not whole numbers", where="normalize", expected="a float dtype", got=dtype
        )
    return Form(dtype, last, *_checked_levels(normalize, channels))


def _checked_levels(normalize: Any, channels: int) -> tuple[Level, Level]:
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
