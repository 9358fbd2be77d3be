"""Telling before, or at the latest when, images do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stirdata.errors import NotEnoughMemoryError

if TYPE_CHECKING:
    import torch

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
        if isinstance(error, NotEnoughMemoryError) or not _is_failed_allocation(error):
            raise
        raise _too_much(needed, device) from error


def _is_failed_allocation(error: Exception) -> bool:
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
