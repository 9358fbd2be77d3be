"""Memory for images: where new tensors go, and on a CPU how memory is used again."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


def empty_images(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, *, channels_last: bool = False
) -> torch.Tensor:
    """Return memory for images on a device, its content undefined.

    On the CPU it comes from NumPy, which asks Linux for huge pages: the first touch of torch's own
    memory, in pages of 4 KiB, takes longer than all of the arithmetic.

    Args:
        shape: (N, channels, height, width), or any other without ``channels_last``.
        dtype: Of the images.
        device: Where they are to be.
        channels_last: Whether the memory format is ``torch.channels_last``.
    """
    import numpy as np
    import torch

    if device.type == "cpu":
        buffer = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
        return _as_images(buffer, shape, dtype, channels_last=channels_last)
    if channels_last:
        shape = (shape[0], *shape[2:], shape[1])
    values = torch.empty(shape, dtype=dtype, device=device)
    return values.permute(0, 3, 1, 2) if channels_last else values


class Recycled:
    """Memory for images on the CPU that is used again once nobody holds what was handed out of it.

    New memory has to be provided by the system page by page, which takes longer than gathering and converting
    the images that are written there. Who keeps a tensor, a view of one, or an array that shares its memory,
    keeps the memory: then the next images get another one.
    """

    _MOST = 2  # one that is being filled, and one that is in use

    def __init__(self) -> None:
        self._boxes: list[list[Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"_boxes": []}

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype, *, channels_last: bool) -> torch.Tensor:
        """Return memory for images, its content undefined; see :func:`empty_images`."""
        import numpy as np

        size = math.prod(shape) * dtype.itemsize
        box = self._take(size)
        if box is None:
            box = [np.empty(size, np.uint8)]
        tensor = _as_images(box[0][:size], shape, dtype, channels_last=channels_last)
        if len(self._boxes) < self._MOST:
            self._boxes.append(box)
        return tensor

    def _take(self, size: int) -> list[Any] | None:
        """Remove one that nobody holds and that is large enough; too small ones are given up."""
        for _ in range(len(self._boxes)):
            try:
                box = self._boxes.pop(0)  # at once: another thread gets another one
            except IndexError:
                break
            if _holders(box) > _ALONE:
                self._boxes.append(box)
            elif len(box[0]) >= size:
                return box
        return None


def _holders(box: list[Any]) -> int:
    """Return how many hold what is in a box: as many more than :data:`_ALONE` as there are others."""
    return sys.getrefcount(box[0])


_ALONE = _holders([object()]) if getattr(sys, "_is_gil_enabled", lambda: True)() else -1
"""Without the lock of the interpreter references are counted too late, so that nothing is used again."""


def _as_images(
    buffer: NDArray[np.uint8], shape: tuple[int, ...], dtype: torch.dtype, *, channels_last: bool
) -> torch.Tensor:
    """Return bytes as images of a shape (N, channels, height, width) and a type."""
    import numpy as np
    import torch

    if channels_last:
        shape = (shape[0], *shape[2:], shape[1])
    carrier = {1: np.uint8, 2: np.int16, 4: np.float32}[dtype.itemsize]  # NumPy has no bfloat16
    values = torch.from_numpy(buffer.view(carrier).reshape(shape))
    values = values if values.dtype == dtype else values.view(dtype)
    return values.permute(0, 3, 1, 2) if channels_last else values
